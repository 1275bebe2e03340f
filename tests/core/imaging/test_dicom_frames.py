"""What multi-frame DICOM objects say of each frame: stack, plane, place and values."""

from __future__ import annotations

from collections import Counter

import numpy as np
from pydicom.dataset import Dataset

from core.imaging import open_image
from core.imaging.dicom import values
from core.types import Plane
from tests import dicoms
from tests.core.imaging.series_facts import item


def test_frames_of_an_enhanced_object_have_their_own_place_and_values():
    dataset = dicoms.multi_frame_dataset(orientation=dicoms.CORONAL, origin=(-40, 10, 48))
    for number, frame in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        frame.PixelValueTransformationSequence = [item(RescaleSlope=2, RescaleIntercept=number)]
        frame.FrameVOILUTSequence = [item(WindowCenter=100.5 + number, WindowWidth=101)]
    image = open_image(dicoms.to_bytes(dataset))
    assert len({image.facts(i).stack for i in range(12)}) == 1
    assert image.facts(3).plane is Plane.CORONAL
    assert image.facts(3).sequence == "T1 with contrast"
    assert [image.place(i).origin[1] for i in range(3)] == [10, 15, 20]
    scan = image.scan(2)
    assert np.array_equal(scan.pixels[..., 0], dicoms.head_volume()[2] * 2.0 + 2)
    assert (scan.window, scan.spacing_mm) == ((52, 152), (1.0, 1.0))


def test_frames_at_another_time_or_diffusion_weight_are_another_stack():
    dataset = dicoms.multi_frame_dataset()
    for number, frame in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        frame.FrameContentSequence[0].TemporalPositionIndex = 1 + number // 6
        frame.MRDiffusionSequence = [item(DiffusionBValue=1000.0 * (number % 2))]
    image = open_image(dicoms.to_bytes(dataset))
    stacks = [image.facts(i).stack for i in range(12)]
    assert len(set(stacks)) == 4
    assert stacks[0] == stacks[2] != stacks[1] == stacks[3]
    assert image.facts(0).sequence == "Diffusion"


def test_a_functional_group_is_looked_for_once_a_frame(monkeypatch):
    image = open_image(dicoms.to_bytes(dicoms.multi_frame_dataset()))
    looked_for: Counter[str] = Counter()
    look = values._item

    def counted(dataset: Dataset, keyword: str, index: int) -> Dataset | None:
        looked_for[keyword] += 1
        return look(dataset, keyword, index)

    monkeypatch.setattr(values, "_item", counted)
    assert image.facts(5).plane is Plane.AXIAL
    # In the frame's own groups and in the shared ones.
    assert looked_for["PlaneOrientationSequence"] == looked_for["MREchoSequence"] == 2


def test_an_object_without_functional_groups_is_read_without_places():
    dataset = dicoms.multi_frame_dataset()
    del dataset.PerFrameFunctionalGroupsSequence
    del dataset.SharedFunctionalGroupsSequence
    image = open_image(dicoms.to_bytes(dataset))
    assert (image.frame_count, image.place(11), image.facts(11).plane) == (12, None, None)
