"""From run folders to ``weights/``: safetensors, inference graphs, calibration, manifest."""

from __future__ import annotations

import hashlib
import logging
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from core.imaging import PREPROCESSING_VERSION
from core.inference.calibration import calibrated
from core.inference.networks.served import ServedClassifier, ServedSegmenter
from core.inference.ood import FeatureModel
from core.inference.runtime import ClassifierOutput, OpenVinoRuntime, Runtime
from core.inference.weights import (
    MANIFEST_FORMAT,
    BoundFile,
    Calibration,
    ClassifierEntry,
    Graph,
    Manifest,
    NetworkEntry,
    OutOfDistribution,
    Provenance,
    SegmenterEntry,
    sha256_of,
)
from core.types import CLASSES
from train.calibrate import fit_decision_threshold, fit_mask_rule, fit_temperature
from train.config import RunConfig
from train.data.pack import Pack
from train.evaluation.views import one_per_group
from train.metrics import balanced_accuracy, expected_calibration_error, rank_auc
from train.models.registry import create_model

log = logging.getLogger(__name__)

LEADING_DIRECTIONS = 16
# Share of val's tumour scans that the decision threshold keeps.
LEAST_SENSITIVITY = 0.98
# Share of val's scans that the out-of-distribution threshold accepts.
ACCEPTED_SHARE = 0.99
NO_TUMOR = CLASSES.index("no_tumor")
LICENCE = (
    "CC BY-NC-SA 4.0, since LGG (Buda 2019) was among the training data; figshare's slices "
    "(Cheng 2017) are CC BY 4.0"
)


def export(
    classifier_run: Path,
    segmenter_run: Path,
    four_class: Pack,
    lgg: Pack,
    out: Path,
    side: int = 0,
    mirrored: bool = True,
) -> Manifest:
    """Write the weights folder and return its manifest.

    Args:
        classifier_run: finished run folder of the ResNet50.
        segmenter_run: finished run folder of the ResUNet.
        four_class: gray pack of the four-class sets.
        lgg: composite pack of the LGG slices.
        out: the weights folder, made if absent; its files are replaced.
        side: input side of the classifier; 0 takes its last training stage's.
        mirrored: whether the classifier averages each picture with its mirror image.
    """
    out.mkdir(parents=True, exist_ok=True)
    classifier = ClassifierEntry(
        **_network(classifier_run, "classifier", out, side, mirrored), mirrored=mirrored
    )
    segmenter = SegmenterEntry(
        **_network(segmenter_run, "segmenter", out), threshold=0.5, min_area_fraction=0.0
    )
    draft = _manifest(
        classifier,
        segmenter,
        Calibration(temperature=1.0, decision_threshold=0.5, fitted_on="nothing yet"),
        OutOfDistribution(
            parameters=BoundFile(file="ood.safetensors", sha256=""),
            threshold=0.0,
            method="none",
            fitted_on="nothing yet",
        ),
        _provenance(classifier_run, segmenter_run),
        {},
    )
    runtime = OpenVinoRuntime(out, draft, threads=0)

    ood, features_ok = _feature_model(runtime, four_class, lgg, out)
    val = one_per_group(four_class, "val")
    truth = np.array([CLASSES.index(s.label) for s in val.samples])
    logits = classify(runtime, val).logits
    temperature = fit_temperature(logits, truth)
    found = calibrated(logits, temperature)
    tumour, is_tumour = 1 - found[:, NO_TUMOR], truth != NO_TUMOR
    decision = fit_decision_threshold(tumour, is_tumour, LEAST_SENSITIVITY)
    threshold, area = _mask_rule(runtime, four_class, lgg)
    figures = {
        "balanced_accuracy": balanced_accuracy(truth, found.argmax(1), len(CLASSES)),
        "tumour_auc": rank_auc(is_tumour, tumour),
        "tumour_sensitivity": float((tumour[is_tumour] >= decision).mean()),
        "tumour_specificity": float((tumour[~is_tumour] < decision).mean()),
        "calibration_error": expected_calibration_error(found, truth),
        "calibration_error_uncalibrated": expected_calibration_error(
            calibrated(logits, 1.0), truth
        ),
        "ood_accepted": features_ok,
    }
    manifest = _manifest(
        classifier,
        segmenter.model_copy(update={"threshold": threshold, "min_area_fraction": area}),
        Calibration(
            temperature=temperature,
            decision_threshold=decision,
            fitted_on=(
                f"val: {len(truth)} distinct four-class scans; the threshold keeps "
                f"{LEAST_SENSITIVITY:.0%} of the tumour scans"
            ),
        ),
        ood,
        draft.provenance,
        figures,
    )
    (out / "manifest.json").write_text(manifest.model_dump_json(indent=2) + "\n")
    log.info("val: %s", {k: round(v, 4) for k, v in figures.items()})
    return manifest


def _network(
    run: Path, name: str, out: Path, side: int = 0, mirrored: bool = False
) -> dict[str, Any]:
    """Write one network's safetensors (half precision) and its graph; the entry's fields."""
    import openvino

    config = RunConfig.load(run / "config.json")
    network = create_model(config.arch, str(run / "weights.safetensors"))
    halves = {
        k: (v.half() if v.dtype.is_floating_point else v).contiguous()
        for k, v in network.state_dict().items()
    }
    save_file(halves, out / f"{name}.safetensors")
    # The graph is made from the same rounded weights, so that both runtimes agree.
    network.load_state_dict(
        {k: v.float() if v.is_floating_point() else v for k, v in halves.items()}
    )
    served: nn.Module = (
        ServedClassifier(network, mirrored)  # type: ignore[arg-type]
        if name == "classifier"
        else ServedSegmenter(network)  # type: ignore[arg-type]
    )
    side = side or config.stage_list()[-1][1]
    example = torch.zeros(1, side, side, 3, dtype=torch.uint8)
    graph = openvino.convert_model(served.eval(), example_input=example, input=[-1, side, side, 3])
    openvino.save_model(graph, out / f"{name}.xml", compress_to_fp16=True)
    entry = NetworkEntry(
        weights=_bound(out / f"{name}.safetensors"),
        graph=Graph(structure=_bound(out / f"{name}.xml"), constants=_bound(out / f"{name}.bin")),
        architecture=config.arch,
        input_side=side,
    )
    return entry.model_dump()


def _bound(path: Path) -> BoundFile:
    return BoundFile(file=path.name, sha256=sha256_of(path))


def classify(runtime: Runtime, pack: Pack, channel: int = -1) -> ClassifierOutput:
    """The classifier's output on a whole pack; ``channel`` shows one channel in gray."""
    parts = [runtime.classify(images) for images in _batches(pack, channel, 32)]
    return ClassifierOutput(
        *(
            np.concatenate([getattr(p, name) for p in parts])
            for name in ("logits", "features", "maps")
        )
    )


def _batches(pack: Pack, channel: int, size: int) -> list[np.ndarray]:
    batches = []
    for start in range(0, len(pack.samples), size):
        images = pack.images[start : start + size]
        if channel >= 0:
            images = images[..., channel : channel + 1]
        if images.shape[3] == 1:
            images = np.repeat(images, 3, axis=3)
        batches.append(np.ascontiguousarray(images))
    return batches


def _feature_model(
    runtime: Runtime, four_class: Pack, lgg: Pack, out: Path
) -> tuple[OutOfDistribution, float]:
    """Fit the feature model on ``train``, its threshold on ``val``; also the accepted share."""

    def features(split: str) -> np.ndarray:
        # LGG's neighbouring slices are alike; every eighth stands for the others.
        slices = lgg.subset(lgg.positions(split)[::8])
        parts = [classify(runtime, one_per_group(four_class, split)).features]
        parts += [classify(runtime, slices, channel).features for channel in (-1, 0, 1, 2)]
        return np.concatenate(parts)

    model = FeatureModel.fit(features("train"), LEADING_DIRECTIONS)
    arrays = {name: torch.from_numpy(value) for name, value in vars(model).items()}
    save_file(arrays, out / "ood.safetensors")
    scores = model.score(features("val"))
    threshold = float(np.quantile(scores, ACCEPTED_SHARE))
    entry = OutOfDistribution(
        parameters=_bound(out / "ood.safetensors"),
        threshold=threshold,
        method=(
            "Mahalanobis distance per dimension of the square roots of the pooled features under "
            f"probabilistic PCA with {LEADING_DIRECTIONS} directions"
        ),
        fitted_on=f"train; the threshold accepts {ACCEPTED_SHARE:.0%} of val's scans",
    )
    return entry, float((scores <= threshold).mean())


def _mask_rule(runtime: Runtime, four_class: Pack, lgg: Pack) -> tuple[float, float]:
    val = one_per_group(four_class, "val")
    figshare = val.subset(np.flatnonzero(val.has_mask))
    slices = lgg.subset(lgg.positions("val"))
    probability, truth, patients, heads = [], [], [], []
    for pack, alone in ((figshare, True), (slices, False)):
        found = np.concatenate([runtime.segment(images) for images in _batches(pack, -1, 16)])
        probability.append(found)
        truth.append(pack.resized(found.shape[1]).masks > 0)
        patients += ["" if alone else s.block for s in pack.samples]
        # The padding and the air round the head are black in a prepared square.
        lit = (np.asarray(pack.images).max(axis=3) > 16).mean(axis=(1, 2))
        heads.append(lit * found.shape[1] ** 2)
    return fit_mask_rule(
        np.concatenate(probability),
        np.concatenate(truth),
        np.array(patients),
        np.concatenate(heads),
    )


def _provenance(*runs: Path) -> Provenance:
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    teachers = [Path(t) for run in runs if (t := RunConfig.load(run / "config.json").teacher)]
    commands = [(run / "command.txt").read_text().strip() for run in (*teachers, *runs)]
    commands.append(shlex.join(["python", "-m", "train", *sys.argv[1:]]))
    return Provenance(
        data="figshare (Cheng 2017), TCGA-LGG (Buda 2019), sartaj, nickparvar, Br35H",
        split="train/splits/four_class.csv and train/splits/lgg.csv, patient-disjoint",
        commands=commands,
        commit=commit,
        licence=LICENCE,
    )


def _manifest(
    classifier: ClassifierEntry,
    segmenter: SegmenterEntry,
    calibration: Calibration,
    ood: OutOfDistribution,
    provenance: Provenance,
    figures: dict[str, float],
) -> Manifest:
    now = datetime.now(UTC)
    identity = hashlib.sha256(
        "".join(e.weights.sha256 for e in (classifier, segmenter)).encode()
        + f"{calibration}{ood}{segmenter.threshold}{segmenter.min_area_fraction}".encode()
    ).hexdigest()
    return Manifest(
        format=MANIFEST_FORMAT,
        model_version=f"{now:%Y.%m.%d}-{identity[:8]}",
        created=now.isoformat(timespec="seconds"),
        classes=list(CLASSES),
        preprocessing_version=PREPROCESSING_VERSION,
        classifier=classifier,
        segmenter=segmenter,
        calibration=calibration,
        ood=ood,
        provenance=provenance,
        val_metrics=figures,
    )
