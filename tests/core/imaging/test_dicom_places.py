"""Where DICOM files say that their slices lie: plane, place and spacing."""

from __future__ import annotations

import numpy as np
import pytest

from core.imaging import open_image
from core.types import Plane
from tests import dicoms
from tests.core.imaging.series_facts import facts_of


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (dicoms.AXIAL, Plane.AXIAL),
        (dicoms.CORONAL, Plane.CORONAL),
        (dicoms.SAGITTAL, Plane.SAGITTAL),
        ((1, 0, 0, 0, np.cos(0.5), np.sin(0.5)), Plane.AXIAL),
        ((1, 0, 0, 0, np.cos(0.75), np.sin(0.75)), Plane.OBLIQUE),
    ],
)
def test_the_plane_is_the_nearest_one(orientation, expected):
    assert facts_of(orientation=orientation).plane is expected


def test_a_place_is_that_of_the_file():
    dataset = dicoms.mr_dataset(
        orientation=dicoms.SAGITTAL, position=(1.5, -100.0, 90.25), spacing=(0.9, 0.8)
    )
    image = open_image(dicoms.to_bytes(dataset))
    place = image.place(0)
    assert place.origin == (1.5, -100.0, 90.25)
    assert (place.along_row, place.along_column) == ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0))
    assert (place.spacing_mm, place.thickness_mm) == ((0.9, 0.8), 5.0)
    assert place.normal == (-1.0, 0.0, 0.0) and place.position_mm == -1.5
    assert image.scan(0).spacing_mm == (0.9, 0.8)


@pytest.mark.parametrize(
    "attributes",
    [
        {"ImagePositionPatient": None},
        {"ImagePositionPatient": [1e9, 0, 0]},
        {"ImageOrientationPatient": None},
        {"orientation": (1, 0, 0, 1, 0, 0)},
        {"orientation": (0, 0, 0, 0, 0, 0)},
        {"orientation": (2, 0, 0, 0, 2, 0)},
        {"PixelSpacing": None},
        {"spacing": (0, 1)},
        {"spacing": (-1, 1)},
        {"spacing": (1e9, 1e9)},
    ],
    ids=str,
)
def test_a_place_that_cannot_be_is_none_and_the_picture_is_read(attributes):
    image = open_image(dicoms.to_bytes(dicoms.mr_dataset(**attributes)))
    assert image.place(0) is None
    assert image.scan(0).size == (96, 80)


def test_without_spacing_nothing_is_said_in_mm():
    image = open_image(dicoms.to_bytes(dicoms.mr_dataset(PixelSpacing=None)))
    assert image.scan(0).spacing_mm is None
    assert any("mm" in notice for notice in image.series.notices)


def test_without_spacing_the_position_is_known_all_the_same():
    options = {"orientation": dicoms.SAGITTAL, "position": (1.5, -100.0, 90.25)}
    whole, part = (
        open_image(dicoms.to_bytes(dicoms.mr_dataset(**options, **lost)))
        for lost in ({}, {"PixelSpacing": None})
    )
    assert part.place(0) is None and part.spacing_mm(0) is None
    assert part.position_mm(0) == whole.position_mm(0) == whole.place(0).position_mm
    nowhere = open_image(dicoms.to_bytes(dicoms.mr_dataset(ImagePositionPatient=None)))
    assert nowhere.position_mm(0) is None and nowhere.spacing_mm(0) == (1, 1)
