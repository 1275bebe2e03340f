"""Training on several processes: under ``torchrun``, or on a Spark cluster.

Every process holds the network and computes its share of each batch; gradients are averaged. The
batch size of a configuration is that of all processes together, and every random draw that concerns
pictures is made for the whole batch before it is shared out, so that the number of processes does
not change what is learnt. Two things do depend on it: dropout, and the statistics of batch norm on
a CPU, where each process has its own (torch synchronises them on GPUs only).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce
from torch.nn.parallel import DistributedDataParallel

from core.errors import DataError

# The first process may prepare pictures for minutes while the others wait.
_PATIENCE = timedelta(hours=2)
_PROJECT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Team:
    """The processes of a run; one process alone is a team of one.

    Attributes:
        rank: the number of this process, from 0.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def share(self, positions: np.ndarray) -> np.ndarray:
        """This process's part of a batch or of a list; parts differ by one item at most."""
        return positions[self.rank :: self.size]

    def gathered(self, part: np.ndarray) -> np.ndarray:
        """The whole, on every process, from what each computed for its ``share``."""
        if self.size == 1:
            return part
        parts: list[Any] = [None] * self.size
        dist.all_gather_object(parts, part)
        whole = np.empty((sum(len(p) for p in parts), *part.shape[1:]), part.dtype)
        for rank, one in enumerate(parts):
            whole[rank :: self.size] = one
        return whole

    def total(self, counts: Tensor) -> Tensor:
        """The sum over all processes, through which gradients pass."""
        return counts if self.size == 1 else all_reduce(counts)

    def summed(self, figures: np.ndarray) -> np.ndarray:
        """Figures added up over all processes."""
        if self.size == 1:
            return figures
        parts: list[Any] = [None] * self.size
        dist.all_gather_object(parts, figures)
        return np.sum(parts, axis=0)

    def wrapped(self, module: nn.Module) -> nn.Module:
        """The module with averaged gradients; on GPUs with synchronised norms."""
        if self.size == 1:
            return module
        if next(module.parameters()).is_cuda:
            return DistributedDataParallel(
                nn.SyncBatchNorm.convert_sync_batchnorm(module),
                device_ids=[torch.cuda.current_device()],
            )
        return DistributedDataParallel(module)

    def align(self, module: nn.Module) -> None:
        """Give every process the first one's buffers (statistics of norms)."""
        if self.size > 1:
            for buffer in module.buffers():
                dist.broadcast(buffer, 0)

    def wait(self) -> None:
        """Go on when every process is here."""
        if self.size > 1:
            dist.barrier()


@contextlib.contextmanager
def joined_team() -> Iterator[Team]:
    """The team that the environment describes (RANK, WORLD_SIZE, as torchrun and Spark set them).

    NCCL where there are GPUs, one for each process; gloo elsewhere.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Team()
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=_PATIENCE)
    try:
        yield Team(dist.get_rank(), size)
    finally:
        dist.destroy_process_group()


def run_on_spark(arguments: Sequence[str], processes: int, *, gpu: bool, local: bool) -> None:
    """Run ``python -m train ARGUMENTS`` as one team on the executors of a Spark cluster.

    Takes the active Spark session, or makes one from Spark's own configuration. The workers need
    the requirements, the project (in the same place as here, or on PYTHONPATH), and storage that
    all of them see for data, cache and run folder.

    Args:
        arguments: the command line, without what concerns Spark.
        processes: how many; with GPUs one for each.
        gpu: whether each process takes a GPU.
        local: run on the driver alone, to try things out.

    Raises:
        DataError: pyspark is not installed.
    """
    try:
        from pyspark.ml.torch.distributor import TorchDistributor
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise DataError(
            "--spark needs pyspark 3.4 or newer, which is no part of the requirements: run it "
            "where Spark is installed, or `pip install pyspark`. Without Spark, use torchrun."
        ) from error
    SparkSession.builder.appName("NeuroTriage").getOrCreate()  # the distributor wants an active one
    distributor = TorchDistributor(num_processes=processes, local_mode=local, use_gpu=gpu)
    environment = {k: v for k, v in os.environ.items() if k.startswith("NEUROTRIAGE_")}
    distributor.run(_worker(), list(arguments), environment, str(_PROJECT))


def _worker() -> Callable[[list[str], dict[str, str], str], None]:
    """What each process of a Spark job runs.

    It travels by value, because it is no module's: the distributor starts it from a script named
    ``train.py``, whose folder comes first on the path and hides the package of that name until it
    is taken off.
    """

    def work(arguments: list[str], environment: dict[str, str], project: str) -> None:
        import os
        import sys
        from pathlib import Path

        os.environ.update(environment)
        kept = [place for place in sys.path if not Path(place, "train.py").is_file()]
        sys.path[:] = [*kept, project]
        sys.argv[1:] = arguments  # the run's record names its command
        from train.cli import app

        if app(arguments, standalone_mode=False):
            raise RuntimeError("the run has failed: the reason is in the worker's log")

    return work
