"""The engine: scans in, analyses out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from core.errors import WeightsError
from core.imaging import prepare
from core.inference.calibration import calibrated
from core.inference.gradcam import HeatMaps
from core.inference.masks import mask_in_source, square_mask
from core.inference.ood import FeatureModel
from core.inference.runtime import ClassifierOutput, Runtime, load_runtime
from core.inference.weights import Manifest, load_arrays, load_manifest
from core.types import (
    CLASSES,
    Analysis,
    BoolArray,
    FloatArray,
    PreparedScan,
    Scan,
    ScanKind,
    TumourClass,
    UInt8Array,
)


class Engine:
    """Both networks with their calibration. Load it once a process; threads may share it."""

    def __init__(self, manifest: Manifest, runtime: Runtime, feature_model: FeatureModel) -> None:
        self.manifest = manifest
        self.runtime = runtime
        self._feature_model = feature_model

    @classmethod
    def load(cls, folder: Path, runtime: str = "auto", threads: int = 0) -> Engine:
        """Load what ``folder/manifest.json`` names.

        Args:
            folder: the weights folder.
            runtime: ``auto``, ``openvino`` or ``torch``.
            threads: threads for inference; 0 takes all cores.

        Raises:
            WeightsError: a file is missing, changed, or does not fit.
        """
        manifest = load_manifest(folder)
        arrays = load_arrays(folder, manifest.ood.parameters)
        try:
            feature_model = FeatureModel(**arrays)
        except TypeError as error:
            raise WeightsError(
                f"{manifest.ood.parameters.file} does not hold a feature model: {sorted(arrays)}"
            ) from error
        return cls(manifest, load_runtime(folder, manifest, runtime, threads), feature_model)

    @property
    def model_version(self) -> str:
        """Identity of the loaded weights."""
        return self.manifest.model_version

    def ood_scores(self, output: ClassifierOutput) -> FloatArray:
        """Out-of-distribution scores (n,) of a classifier's output; higher is stranger."""
        return self._feature_model.score(output.features)

    def square_mask(self, probability: FloatArray, head: BoolArray, kind: ScanKind) -> UInt8Array:
        """The mask in the network's square by the manifest's rule, see ``masks.square_mask``."""
        return square_mask(probability, head, self.manifest.segmenter.rule(kind))

    def analyse(
        self,
        scans: Sequence[Scan],
        heat_map_class: TumourClass | None = None,
    ) -> list[Analysis]:
        """Analyse a batch of scans.

        Args:
            scans: decoded scans of any sizes.
            heat_map_class: the class that ``heat_map`` explains; the predicted one by default.

        Returns:
            One analysis a scan, in the given order.
        """
        if not scans:
            return []
        started = time.perf_counter()
        prepared = [prepare(scan) for scan in scans]
        images = np.stack([one.image for one in prepared])
        output = self.runtime.classify(images)
        masks = self.runtime.segment(images)
        probabilities = calibrated(output.logits, self.manifest.calibration.temperature)
        strangeness = self.ood_scores(output)
        shared_ms = (time.perf_counter() - started) * 1000 / len(scans)
        return [
            self._analysis(
                one,
                probabilities[index],
                output.maps[index],
                masks[index],
                float(strangeness[index]),
                heat_map_class,
                shared_ms,
            )
            for index, one in enumerate(prepared)
        ]

    def _analysis(
        self,
        prepared: PreparedScan,
        probabilities: FloatArray,
        class_maps: FloatArray,
        mask_probability: FloatArray,
        strangeness: float,
        heat_map_class: TumourClass | None,
        shared_ms: float,
    ) -> Analysis:
        started = time.perf_counter()
        by_class = {c: float(p) for c, p in zip(CLASSES, probabilities, strict=True)}
        tumour = 1.0 - by_class[TumourClass.NO_TUMOR]
        predicted = CLASSES[int(probabilities.argmax())]
        in_square = self.square_mask(mask_probability, prepared.head, prepared.kind)
        head_area = max(1, int(prepared.head.sum()))
        rule = self.manifest.segmenter.rule(prepared.kind)
        mask = mask_in_source(mask_probability, in_square, prepared, rule)
        return Analysis(
            probabilities=by_class,
            predicted=predicted,
            tumour_probability=tumour,
            suspected=tumour >= self.manifest.calibration.decision_threshold,
            mask=mask,
            mask_area_fraction=min(1.0, int((in_square > 0).sum()) / head_area),
            heat_maps=HeatMaps(class_maps, prepared.geometry),
            heat_map_class=heat_map_class or predicted,
            ood_score=strangeness,
            # A picture of one value has nothing to be strange by, and is no scan all the same.
            in_distribution=prepared.contrast > 0 and strangeness <= self.manifest.ood.threshold,
            kind=prepared.kind,
            model_version=self.model_version,
            elapsed_ms=shared_ms + (time.perf_counter() - started) * 1000,
        )
