"""Makes torchvision importable beside a torch build that it was not compiled against.

PyTorch's CPU build with the general torchvision wheel lacks torchvision's compiled operators, and
its import stops at "operator torchvision::nms does not exist". No network here uses those
operators, so declaring the two that torchvision registers shapes for is enough.
"""

from __future__ import annotations

import sys
from types import ModuleType

import torch

_DECLARATIONS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_kept: list[torch.library.Library] = []


def import_torchvision() -> ModuleType:
    """Return torchvision, declaring its missing operators only where the import fails without them.

    Raises:
        ImportError: torchvision is not installed.
        RuntimeError: the import fails for another reason than the missing operators.
    """
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        for declaration in _DECLARATIONS:
            library.define(declaration)
        _kept.append(library)  # the declarations live as long as this object
        import torchvision
    return torchvision
