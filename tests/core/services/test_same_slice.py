"""What comes under the UID of a slice that is there: copies are known, all else is kept."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from pydicom.uid import JPEG2000, JPEGLSLossless

from core.services.submit import receive
from tests import dicoms
from tests.core.services.sent_series import (
    LINKED,
    RECEIVED,
    SLICES,
    history_of,
    scans_of,
    series,
    volumes_of,
)

# Slices so near to each other that they are much alike.
LEVELS = np.linspace(0.2, 0.3, 8)


def capture(pixels: np.ndarray, **attributes) -> bytes:
    return dicoms.to_bytes(dicoms.secondary_capture_dataset(pixels, **attributes))


def head(level: float) -> np.ndarray:
    return dicoms.head_slice(128, 112, level).astype(np.uint8)


def lossy(pixels: np.ndarray, ratio: float = 8) -> bytes:
    dataset = dicoms.secondary_capture_dataset(pixels)
    dataset.compress(JPEG2000, j2k_cr=[ratio], generate_instance_uid=False)
    dataset.LossyImageCompression = "01"
    return dicoms.to_bytes(dataset)


@pytest.mark.parametrize("number", ["1", None])
def test_captures_that_look_much_alike_under_one_uid_are_all_kept(installation, reader, number):
    pictures = [cv2.GaussianBlur(head(level), (0, 0), 3) for level in LEVELS]
    alike = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in pairwise(pictures)]
    assert min(alike) > 0.98
    told = [
        receive(installation, reader, capture(one, InstanceNumber=number), keep_uids=True)
        for one in pictures
    ]
    assert {item.outcome for item in told} == {RECEIVED}
    assert all("same SOP Instance UID" in item.reason for item in told[1:])
    assert len(scans_of(installation, told[0].case_id)) == len(pictures)


def test_a_single_other_pixel_is_another_picture(send):
    changed = head(0.2)
    changed[60, 50] ^= 1
    assert [item.outcome for item in send(capture(head(0.2)), capture(changed))] == [RECEIVED] * 2


def test_equal_pictures_with_other_numbers_are_both_kept(send):
    files = [capture(head(0.2), InstanceNumber=number) for number in (1, 2)]
    assert [item.outcome for item in send(*files)] == [RECEIVED] * 2
    without = capture(head(0.2), InstanceNumber=None, ImageComments="again")
    assert [item.outcome for item in send(without)] == [LINKED]


def test_the_same_picture_packed_without_and_with_loss_is_known(installation, send):
    plain = dicoms.secondary_capture_dataset(head(0.2))
    noisy = head(0.2) + np.random.default_rng(1).integers(0, 6, (128, 112), dtype=np.uint8)
    assert [item.outcome for item in send(dicoms.to_bytes(plain))] == [RECEIVED]
    [again, packed] = send(dicoms.to_bytes(plain, JPEGLSLossless), lossy(head(0.2)))
    assert (again.outcome, packed.outcome) == (LINKED, LINKED)
    # What was not packed with loss has no excuse to differ.
    assert [item.outcome for item in send(capture(noisy))] == [RECEIVED]


@pytest.mark.parametrize("other", [0.15, 0.25])
def test_another_slice_packed_with_loss_is_kept(send, other):
    told = send(capture(head(0.2)), lossy(head(0.2 + other)), lossy(head(0.2 - other)))
    assert {item.outcome for item in told} == {RECEIVED}


def test_every_frame_of_an_object_is_compared(installation, send):
    volume = dicoms.head_volume(9, 64, 48)
    [first] = send(dicoms.to_bytes(dicoms.multi_frame_dataset(volume)))
    changed = volume.copy()
    changed[1, 30, 20] += 1
    [told] = send(dicoms.to_bytes(dicoms.multi_frame_dataset(changed)))
    assert told.outcome is RECEIVED
    assert len(scans_of(installation, first.case_id)) == 18


def test_a_corrected_spacing_is_not_passed_over_in_silence(installation, send):
    [first, *_] = send(*series())
    told = send(*series(spacing=(0.5, 0.5)))
    said = "pixel spacing 0.5 × 0.5 mm (kept: 1 × 1 mm)"
    assert {item.outcome for item in told} == {LINKED}
    assert all("Already received" in item.reason and said in item.reason for item in told)
    scans = scans_of(installation, first.case_id)
    assert {scan.spacing_mm for scan in scans} == {(1.0, 1.0)} and len(scans) == SLICES
    # Whoever reads the case learns of it, once; and there is no series without slices.
    [volume] = volumes_of(installation, first.case_id)
    assert [said in notice for notice in volume.notices] == [True]
    assert sum(said in text for text in history_of(installation, first.case_id)) == 1
    assert not any("other figures" in (item.reason or "") for item in send(*series()))


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ({"step": 2.5, "origin": (-40.0, -48.0, -30.0)}, "slice thickness 2.5 mm (kept: 5 mm)"),
        ({"origin": (-42.0, -48.0, -30.0)}, "another place or direction"),
        ({"PixelSpacing": None}, "pixel spacing none (kept: 1 × 1 mm)"),
    ],
    ids=["thickness", "place", "no spacing"],
)
def test_other_figures_are_named(send, figures, said):
    send(series()[0])
    [told] = send(series(**figures)[0])
    assert told.outcome is LINKED and said in told.reason
