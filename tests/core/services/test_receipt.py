"""What is known of a file when it is taken in: text that is drawn into any of its pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from core.errors import InputError
from core.services import receipt
from core.services.receipt import take_file
from tests import dicoms

FRAMES = 9


def volume() -> np.ndarray:
    return np.repeat(dicoms.head_slice(256, 256).astype(np.uint8)[None], FRAMES, axis=0)


def named(pixels: np.ndarray, colour: object = 255) -> np.ndarray:
    cv2.putText(pixels, "SMITH JOHN", (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1)
    return pixels


def is_raised(installation, data: bytes) -> bool:
    slices = take_file(installation, data).slices
    said = {any("text" in notice for notice in one.facts.notices) for one in slices}
    assert len(said) == 1  # of all slices or of none
    return said.pop()


@pytest.mark.parametrize("frame", range(FRAMES))
def test_text_on_any_single_frame_is_raised(installation, frame):
    frames = volume()
    named(frames[frame])
    assert is_raised(installation, dicoms.to_bytes(dicoms.multi_frame_dataset(frames)))


def test_text_on_one_slice_of_a_volume_is_raised(installation):
    values = volume()
    named(values[5])
    data = dicoms.nifti(values[:, ::-1, ::-1].transpose(2, 1, 0), spacing=(1, 1, 5))
    assert is_raised(installation, data)
    assert not is_raised(installation, dicoms.nifti(volume().T, spacing=(1, 1, 5)))


def test_text_in_a_dark_colour_is_raised(installation):
    colours = np.ascontiguousarray(np.repeat(volume()[0][..., None], 3, axis=2))
    data = dicoms.to_bytes(dicoms.secondary_capture_dataset(named(colours, (0, 0, 255))))
    assert is_raised(installation, data)


def test_in_more_pixels_than_can_be_looked_at_evenly_spread_ones_are(installation, monkeypatch):
    monkeypatch.setattr(receipt, "_MOST_LOOKED_AT", FRAMES * 256 * 256 / 2)
    found = []
    for frame in range(FRAMES):
        frames = volume()
        named(frames[frame])
        data = dicoms.to_bytes(dicoms.multi_frame_dataset(frames))
        found += [frame] * is_raised(installation, data)
    assert found == [0, 2, 4, 6, 8]


def test_a_damaged_frame_in_between_leaves_the_others(installation):
    data = dicoms.to_bytes(dicoms.multi_frame_dataset(volume()), "1.2.840.10008.1.2.4.90")
    ends = [at for at in range(len(data)) if data.startswith(b"\xff\x4f\xff\x51", at)]
    assert len(ends) == FRAMES
    damaged = bytearray(data)
    damaged[ends[2] + 11] += 1  # another size than the file says
    assert len(take_file(installation, bytes(damaged)).slices) == FRAMES
    damaged[ends[-1] + 11] += 1
    with pytest.raises(InputError):
        take_file(installation, bytes(damaged))
