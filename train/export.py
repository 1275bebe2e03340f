"""From run folders to ``weights/``: safetensors, inference graphs, calibration, manifest."""

from __future__ import annotations

import hashlib
import logging
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
from core.inference.runtime import OpenVinoRuntime, Runtime
from core.inference.weights import (
    MANIFEST_FORMAT,
    BoundFile,
    Calibration,
    ClassifierEntry,
    Graph,
    Manifest,
    MaskRule,
    NetworkEntry,
    OutOfDistribution,
    Provenance,
    SegmenterEntry,
    load_manifest,
    sha256_of,
)
from core.types import CLASSES
from train.calibrate import fit_decision_threshold, fit_mask_rule, fit_temperature
from train.config import RunConfig, trained_side
from train.data.pack import Pack
from train.evaluation.views import one_per_group
from train.metrics import balanced_accuracy, expected_calibration_error, rank_auc
from train.models.registry import create_model
from train.provenance import provenance_of, this_command
from train.served import batches, classify
from train.strangeness import write_feature_model

log = logging.getLogger(__name__)

# Share of val's tumour scans that the decision threshold keeps.
LEAST_SENSITIVITY = 0.98
NO_TUMOR = CLASSES.index("no_tumor")
_UNFITTED = MaskRule(threshold=0.5, min_area_fraction=0.0)


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
        classifier_run: finished run folder of the ResNet50, or a weights folder (``out``, too)
            whose classifier is kept.
        segmenter_run: the same of the ResUNet.
        four_class: gray pack of the four-class sets.
        lgg: composite pack of the LGG slices.
        out: the weights folder, made if absent; its files are replaced.
        side: input side of the classifier; 0 takes what its training came to, or what it was
            served at.
        mirrored: whether the classifier averages each picture with its mirror image.
    """
    out.mkdir(parents=True, exist_ok=True)
    classifier = ClassifierEntry(
        **_network(classifier_run, "classifier", out, side, mirrored), mirrored=mirrored
    )
    segmenter = SegmenterEntry(
        **_network(segmenter_run, "segmenter", out), gray=_UNFITTED, composite=_UNFITTED
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
        provenance_of(classifier_run, segmenter_run),
        {},
    )
    runtime = OpenVinoRuntime(out, draft, threads=0)

    ood, features_ok = write_feature_model(runtime, four_class, lgg, out)
    calibration, figures = _calibration(runtime, four_class)
    gray, composite = _mask_rules(runtime, four_class, lgg)
    manifest = _manifest(
        classifier,
        segmenter.model_copy(update={"gray": gray, "composite": composite}),
        calibration,
        ood,
        draft.provenance,
        {**figures, "ood_accepted": features_ok},
    )
    _write(manifest, out)
    for file in out.glob("*.safetensors"):  # save_file leaves them to their owner alone
        file.chmod(0o644)
    return manifest


def calibrate(folder: Path, four_class: Pack) -> Manifest:
    """Fit temperature and decision threshold of a weights folder anew; return its new manifest.

    The networks, the mask's rule and the out-of-distribution score stay as they are.

    Args:
        folder: the weights folder; its manifest is replaced, its figures have to be measured anew.
        four_class: gray pack of the four-class sets.

    Raises:
        ModelError: there are no usable weights in the folder.
    """
    before = load_manifest(folder)
    calibration, figures = _calibration(OpenVinoRuntime(folder, before, threads=0), four_class)
    provenance = before.provenance.model_copy(
        update={"commands": [*before.provenance.commands, this_command()]}
    )
    figures = before.val_metrics | figures
    after = _manifest(
        before.classifier, before.segmenter, calibration, before.ood, provenance, figures
    )
    _write(after, folder)
    return after


def _calibration(runtime: Runtime, four_class: Pack) -> tuple[Calibration, dict[str, float]]:
    """What is fitted on ``val``'s distinct scans, and the figures there."""
    val = one_per_group(four_class, "val")
    blocks = [sample.block for sample in val.samples]
    truth = np.array([CLASSES.index(s.label) for s in val.samples])
    logits = classify(runtime, val).logits
    temperature = fit_temperature(logits, truth, blocks)
    found = calibrated(logits, temperature)
    tumour, is_tumour = 1 - found[:, NO_TUMOR], truth != NO_TUMOR
    decision = fit_decision_threshold(tumour, is_tumour, LEAST_SENSITIVITY)
    alone = fit_decision_threshold(tumour, is_tumour, LEAST_SENSITIVITY, highest=1.0)
    figures = {
        "balanced_accuracy": balanced_accuracy(truth, found.argmax(1), len(CLASSES)),
        "tumour_auc": rank_auc(is_tumour, tumour),
        "tumour_sensitivity": float((tumour[is_tumour] >= decision).mean()),
        "tumour_specificity": float((tumour[~is_tumour] < decision).mean()),
        "calibration_error": expected_calibration_error(found, truth),
        "calibration_error_uncalibrated": expected_calibration_error(
            calibrated(logits, 1.0), truth
        ),
    }
    calibration = Calibration(
        temperature=temperature,
        decision_threshold=decision,
        fitted_on=(
            f"val: {len(truth)} distinct four-class scans of {len(set(blocks))} patients or groups "
            "of copies, each of which weighs the same for the temperature; "
            + _threshold_in_words(decision, alone)
        ),
    )
    return calibration, figures


def _threshold_in_words(decision: float, alone: float) -> str:
    """How the threshold came about: of what val alone gives, or of the rule that caps it."""
    keeps = f"keeps {LEAST_SENSITIVITY:.0%} of its tumour scans at least"
    if decision < alone:
        return (
            f"the threshold was not fitted: val alone would have given {alone:.3f}, which {keeps}, "
            f"and the rule that it is {decision:g} at most held"
        )
    return f"the threshold is what val alone gave: it {keeps}"


def _write(manifest: Manifest, folder: Path) -> None:
    (folder / "manifest.json").write_text(manifest.model_dump_json(indent=2) + "\n")
    log.info("val: %s", {name: round(value, 4) for name, value in manifest.val_metrics.items()})


def _network(
    run: Path, name: str, out: Path, side: int = 0, mirrored: bool = False
) -> dict[str, Any]:
    """Write one network's safetensors (half precision) and its graph; the entry's fields."""
    import openvino

    if (run / "manifest.json").is_file():
        kept: NetworkEntry = getattr(load_manifest(run), name)
        arch, trained, file = kept.architecture, kept.input_side, run / kept.weights.file
    else:
        config = RunConfig.load(run / "config.json")
        arch, trained = config.arch, trained_side(run)
        file = run / "weights.safetensors"
    network = create_model(arch, str(file))
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
    side = side or trained
    example = torch.zeros(1, side, side, 3, dtype=torch.uint8)
    graph = openvino.convert_model(served.eval(), example_input=example, input=[-1, side, side, 3])
    openvino.save_model(graph, out / f"{name}.xml", compress_to_fp16=True)
    entry = NetworkEntry(
        weights=_bound(out / f"{name}.safetensors"),
        graph=Graph(structure=_bound(out / f"{name}.xml"), constants=_bound(out / f"{name}.bin")),
        architecture=arch,
        input_side=side,
    )
    return entry.model_dump()


def _bound(path: Path) -> BoundFile:
    return BoundFile(file=path.name, sha256=sha256_of(path))


def _mask_rules(runtime: Runtime, four_class: Pack, lgg: Pack) -> tuple[MaskRule, MaskRule]:
    """The rules for gray scans and for composites.

    Gray is fitted on figshare's lesions and the tumour-free scans, slice by slice; composites on
    LGG, patient by patient.
    """
    val = one_per_group(four_class, "val")
    free = np.array([sample.label == "no_tumor" for sample in val.samples])
    gray = val.subset(np.flatnonzero(val.has_mask | free))
    slices = lgg.subset(lgg.positions("val"))
    # Where its sequences were missing, a slice of LGG shows one picture three times: it is gray.
    several = (np.ptp(slices.images.astype(np.int16), axis=3) > 0).any(axis=(1, 2))
    composite = slices.subset(np.flatnonzero(several))
    return _rule(runtime, gray, pooled=False), _rule(runtime, composite, pooled=True)


def _rule(runtime: Runtime, pack: Pack, pooled: bool) -> MaskRule:
    found = np.concatenate([runtime.segment(images) for images in batches(pack, 16)])
    side = found.shape[1]
    patients = [sample.block if pooled else "" for sample in pack.samples]
    # The padding and the air round the head are black in a prepared square.
    lit = (np.asarray(pack.images).max(axis=3) > 16).mean(axis=(1, 2))
    truth = pack.resized(side).masks > 0
    threshold, area = fit_mask_rule(found, truth, np.array(patients), lit * side**2)
    return MaskRule(threshold=threshold, min_area_fraction=area)


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
        + f"{calibration}{ood}{segmenter.gray}{segmenter.composite}".encode()
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
