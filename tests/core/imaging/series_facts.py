"""What a made-up slice says of its series."""

from __future__ import annotations

from pydicom.dataset import Dataset

from core.imaging import open_image
from core.types import SeriesFacts
from tests import dicoms


def facts_of(**attributes) -> SeriesFacts:
    facts = open_image(dicoms.to_bytes(dicoms.mr_dataset(**attributes))).series
    assert facts is not None
    return facts


def item(**attributes) -> Dataset:
    dataset = Dataset()
    for name, value in attributes.items():
        setattr(dataset, name, value)
    return dataset
