"""A tiny data set in the publishers' layouts, drawn and not scanned."""

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from core.inference import Engine
from core.inference.runtime import ClassifierOutput
from core.inference.weights import MaskRule
from train.data.splits import FOUR_CLASS_LIST, LGG_LIST, Sample, write_list
from train.experiments.config import load
from train.experiments.run import Request

RULE = MaskRule(threshold=0.5, min_area_fraction=0.002)
SIDE = 64
LABELS = ("glioma", "meningioma", "no_tumor", "pituitary")
PLACES = {"glioma": (22, 24), "meningioma": (40, 20), "pituitary": (32, 44)}


@dataclass(frozen=True)
class TinyData:
    """A data folder and the lists of its files."""

    root: Path
    four_class: list[Sample]
    lgg: list[Sample]


def head(rng, place=None):
    """A head with a bright rim, and a bright disc where a lesion is; also the disc's mask."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    radius = ((y - 32) / 26) ** 2 + ((x - 32) / 22) ** 2
    image = np.where(radius < 1, 90 + rng.normal(0, 6, (SIDE, SIDE)), 0)
    # With the rim the brightest part is equally bright in every scan.
    image[(radius > 0.88) & (radius < 1)] = 210
    mask = np.zeros((SIDE, SIDE), bool)
    if place is not None:
        centre = np.array(place) + rng.integers(-2, 3, 2)
        mask = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < 36
        image[mask] += 120
    return np.clip(image, 0, 255).astype(np.uint8), mask.astype(np.uint8) * 255


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), array)


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory):
    root, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    four_class, lgg, number = [], [], 0
    for split in ("train", "val", "test"):
        for label in LABELS:
            for i in range(4):
                number += 1
                image, mask = head(rng, PLACES.get(label))
                if label == "no_tumor":
                    dataset, path = "br35h", f"no/{number}.jpg"
                    save(root / dataset / path, image)
                else:
                    dataset, path = "figshare", f"images/{number}.jpg"
                    save(root / dataset / path, image)
                    save(root / dataset / "masks" / f"{number}.png", mask)
                group, block = f"scan-{number}", f"{split}-{label}-{i // 2}"
                four_class.append(Sample(dataset, path, label, split, group, block))
                # A mirrored copy in another set, which must not count.
                copy = f"Training/{label}/{number}.jpg"
                save(root / "nickparvar" / copy, image[:, ::-1])
                four_class.append(Sample("nickparvar", copy, label, split, group, block))
        for patient in (f"TCGA_{split}_A", f"TCGA_{split}_B"):
            for i in range(4):
                image, mask = head(rng, (26, 26) if i % 2 else None)
                path = f"kaggle_3m/{patient}/{patient}_{i}.tif"
                bright = (np.sqrt(image / 255) * 255).astype(np.uint8)
                composite = np.dstack([bright, image, image // 2])
                save(root / "lgg" / path, composite)
                save((root / "lgg" / path).with_name(f"{patient}_{i}_mask.tif"), mask)
                label = "glioma" if i % 2 else "no_tumor"
                lgg.append(Sample("lgg", path, label, split, f"{patient}-{i}", patient))
    return TinyData(root, four_class, lgg)


@pytest.fixture(scope="session")
def request_for(tiny_data, tmp_path_factory):
    """Makes requests on the tiny data: small pictures, two batches, one epoch a stage."""
    folder = tmp_path_factory.mktemp("experiments")
    root, lists = folder / "data", folder / "lists"
    root.mkdir()
    for name, place in (("lgg",) * 2, ("figshare",) * 2, ("br35h",) * 2, ("sartaj", "nickparvar")):
        (root / name).symlink_to(tiny_data.root / place)
    renamed = {"nickparvar": "sartaj"}
    four_class = [
        replace(s, dataset=renamed.get(s.dataset, s.dataset)) for s in tiny_data.four_class
    ]
    write_list(lists / FOUR_CLASS_LIST.name, four_class)
    write_list(lists / LGG_LIST.name, tiny_data.lgg)

    def make(name, runs, split="patient", **other):
        experiment = load(name)
        own, changes = other.pop("changes", ()), []
        if experiment.task != "cascade":
            batch = {"lgg": 4, "figshare": 8, "sartaj": 8}[experiment.data.source]
            batch = batch // 2 if experiment.data.lesions_only else batch
            changes += [f"training.batch_size={batch}", "input.side=32", "training.precision=fp32"]
            other = {"init": "scratch", "epochs": len(experiment.training.stages)} | other
        return Request(
            name, split, root, folder / "cache", runs=runs, lists=lists,
            out=other.pop("out", runs / f"{name}-{split}"), changes=(*changes, *own), **other,
        )  # fmt: skip

    return make


class BrightSpots:
    """Calls a scan by where its bright spot lies, and draws the spot: no network at all."""

    name = "fake"

    def classify(self, images):
        spots = self.segment(images) > 0.5
        found = np.where(spots.any((1, 2)), 0, 2)
        count = len(images)
        features = np.ones((count, 2048), np.float32)
        logits = 5.0 * np.eye(4, dtype=np.float32)[np.array(found)]
        return ClassifierOutput(logits, features, np.zeros((count, 4, 7, 7), np.float32))

    def segment(self, images):
        # Opening leaves the spot and takes the thin rim of the head.
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (19, 19))
        bright = (images.min(axis=3) > 160).astype(np.uint8)
        spots = [cv2.morphologyEx(one, cv2.MORPH_OPEN, disc)[::2, ::2] for one in bright]
        return np.stack(spots).astype(np.float32)


@pytest.fixture(scope="session")
def engine():
    """Serves ``BrightSpots``."""
    manifest = SimpleNamespace(
        model_version="fake-1",
        calibration=SimpleNamespace(temperature=1.0, decision_threshold=0.5),
        segmenter=SimpleNamespace(rule=lambda kind: RULE),
        ood=SimpleNamespace(threshold=1.0),
    )
    features = SimpleNamespace(score=lambda values: values.mean(1))
    return Engine(manifest, BrightSpots(), features)


@pytest.fixture(scope="session")
def tiny_report(engine, tiny_data):
    """What ``train evaluate`` measures of ``BrightSpots``; whoever changes it takes a copy."""
    from train.evaluation.evaluate import evaluate

    return evaluate(
        engine, tiny_data.root, command="python -m train evaluate",
        four_class=tiny_data.four_class, lgg=tiny_data.lgg, resamples=50,
    )  # fmt: skip
