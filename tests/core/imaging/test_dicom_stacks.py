"""Which slices of DICOM series lie side by side and make one stack."""

from __future__ import annotations

import numpy as np
import pytest

from core.imaging import open_image
from core.types import Plane, SeriesFacts
from tests import dicoms
from tests.core.imaging.series_facts import facts_of


def side_by_side(one: SeriesFacts, other: SeriesFacts) -> bool:
    return one.stack == other.stack and one.fits(other.measured) and other.fits(one.measured)


def test_what_is_no_uid_still_keeps_slices_together():
    first = facts_of(StudyInstanceUID="STUDY-A", SeriesInstanceUID="SERIES-1")
    second = facts_of(StudyInstanceUID="STUDY-A", SeriesInstanceUID="SERIES-1", instance="2")
    assert (first.study_uid, first.stack) == (second.study_uid, second.stack)
    assert first.study_uid.startswith("2.25.")


def test_slices_of_a_series_have_one_stack_and_rising_positions():
    images = [open_image(data) for data in dicoms.mr_series(orientation=dicoms.CORONAL)]
    assert len({image.facts(0).stack for image in images}) == 1
    positions = [image.place(0).position_mm for image in images]
    assert np.allclose(np.diff(positions), 5)
    assert images[0].facts(0).plane is Plane.CORONAL


def turned(sine: float) -> tuple[float, ...]:
    cosine = float(np.sqrt(1 - sine * sine))
    return cosine, sine, 0.0, -sine, cosine, 0.0


def diffusion(b: float, direction: list[float] | None = None) -> dict:
    found = {"DiffusionBValue": b, "DiffusionGradientOrientation": direction}
    return {name: value for name, value in found.items() if value is not None}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {"series": "other"}),
        ({}, {"orientation": dicoms.CORONAL}),
        ({}, {"orientation": (1.0, 0.0, 0.0, 0.0, np.cos(0.1), np.sin(0.1))}),
        ({}, {"spacing": (1.0, 0.9)}),
        ({}, {"pixels": dicoms.head_slice(80, 80)}),
        ({}, {"EchoTime": 80, "EchoNumbers": 2}),
        ({}, {"EchoNumbers": 2}),
        ({}, {"InversionTime": 900}),
        ({}, {"ImageType": ["ORIGINAL", "PRIMARY", "P"]}),
        ({"TemporalPositionIdentifier": 1}, {"TemporalPositionIdentifier": 2}),
        (
            {"NumberOfTemporalPositions": 2, "AcquisitionNumber": 1},
            {"NumberOfTemporalPositions": 2, "AcquisitionNumber": 2},
        ),
        (
            {"Manufacturer": "SIEMENS", "AcquisitionNumber": 1},
            {"Manufacturer": "SIEMENS", "AcquisitionNumber": 2},
        ),
        (
            {"CardiacNumberOfImages": 20, "TriggerTime": 10},
            {"CardiacNumberOfImages": 20, "TriggerTime": 60},
        ),
        (diffusion(0), diffusion(1000)),
        (diffusion(1000, [1.0, 0.0, 0.0]), diffusion(1000, [0.0, 1.0, 0.0])),
    ],
)
def test_what_does_not_lie_side_by_side_has_a_stack_of_its_own(one, other):
    assert not side_by_side(facts_of(**one), facts_of(**other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {"instance": "2", "position": (-40.0, -48.0, 5.0)}),
        ({}, {"orientation": (1.0, -0.0, 1e-7, 0.0, 1.0, -0.0)}),
        ({"AcquisitionNumber": 1}, {"AcquisitionNumber": 2}),  # may count slices
        ({"TriggerTime": 10}, {"TriggerTime": 60}),  # gated: each slice has its own
        ({"RepetitionTime": 550}, {"RepetitionTime": 561}),
        # Either side of where a rounded figure would change.
        ({"orientation": turned(0.0344996)}, {"orientation": turned(0.0345004)}),
        ({"EchoTime": 12.349}, {"EchoTime": 12.351}),
        ({"InversionTime": 899.4}, {"InversionTime": 899.6}),
        ({"spacing": (0.46875, 0.46875)}, {"spacing": (0.46874, 0.46876)}),
        (diffusion(1000, [0.0344996, 0, 1]), diffusion(1000, [0.0345004, 0, 1])),
        ({}, {"WindowCenter": 500, "WindowWidth": 900}),
    ],
)
def test_what_differs_from_slice_to_slice_does_not_part_a_stack(one, other):
    assert side_by_side(facts_of(**one), facts_of(**other))
