"""Text in the pixels is raised, and clean slices are not."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from core.imaging import burnt_in_text, decode, open_image
from core.imaging.deidentify import burnt_in
from tests import dicoms
from tests.pictures import save

NAME = "DOE JANE 1971"


def drawn(side: int, height: int, place: str, text: str = NAME) -> np.ndarray:
    picture = dicoms.head_slice(side, side, peak=255).astype(np.uint8)
    font, scale, thick = cv2.FONT_HERSHEY_SIMPLEX, height / 21, max(1, round(height / 10))
    (wide, high), _ = cv2.getTextSize(text, font, scale, thick)
    corners = {
        "top left": (3, high + 3),
        "top right": (side - wide - 3, high + 3),
        "bottom right": (side - wide - 3, side - 5),
        "across": (side // 2 - wide // 2, side // 2),
    }
    cv2.putText(picture, text, corners[place], font, scale, 255, thick, cv2.LINE_AA)
    return picture


def saved(picture: np.ndarray, form: str) -> bytes:
    return save(picture, form, **({"quality": 80} if form == "JPEG" else {}))


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
@pytest.mark.parametrize("place", ["top left", "top right", "bottom right"])
@pytest.mark.parametrize("height", [6, 8, 12, 16])
@pytest.mark.parametrize("side", [256, 512])
def test_text_beside_the_head_is_found(side: int, height: int, place: str, form: str) -> None:
    assert "text" in burnt_in_text(decode(saved(drawn(side, height, place), form)))


def test_large_text_across_the_head_is_found() -> None:
    assert burnt_in_text(decode(saved(drawn(512, 16, "across"), "PNG")))


def test_text_in_twelve_bit_values_and_in_colour_is_found() -> None:
    picture = drawn(256, 10, "top left")
    deep = dicoms.to_bytes(dicoms.mr_dataset(picture.astype(np.uint16) * 16))
    assert burnt_in_text(open_image(deep).scan(0))
    colour = np.dstack([picture, picture // 2, picture // 3])
    assert burnt_in_text(decode(saved(colour, "PNG")))


@pytest.mark.parametrize("level", [-0.9, -0.5, 0.0, 0.5, 0.9])
@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_clean_slices_are_not_raised(level: float, form: str) -> None:
    for side in (96, 256, 512):
        head = dicoms.head_slice(side, side, level, lesion=True).astype(np.uint8)
        assert burnt_in_text(decode(saved(head, form))) is None


def test_noise_blank_pictures_and_single_marks_are_not_raised() -> None:
    noise = np.random.default_rng(1).rayleigh(20, (256, 256)).clip(0, 255).astype(np.uint8)
    assert burnt_in_text(decode(saved(noise, "PNG"))) is None
    assert burnt_in_text(decode(saved(np.zeros((256, 256), np.uint8), "PNG"))) is None
    assert burnt_in_text(decode(saved(drawn(256, 12, "top left", "R"), "PNG"))) is None


def is_line_by_all_pairs(marks: list[burnt_in._Mark]) -> bool:
    """As it is defined: the longest line that ends in each mark, from every mark before it."""
    lengths: list[int] = []
    for index, mark in enumerate(marks):
        before = [n for n, o in zip(lengths, marks[:index], strict=True) if mark.follows(o)]
        lengths.append(1 + max(before, default=0))
    return max(lengths, default=0) >= burnt_in._LEAST_MARKS


@st.composite
def scattered_marks(draw: st.DrawFn) -> list[burnt_in._Mark]:
    """Marks from left to right, as dense and as much alike as leaves lines now and then."""
    random = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    count = draw(st.integers(0, 60))
    wide, high = draw(st.integers(30, 1000)), draw(st.integers(1, 1000))
    least = draw(st.integers(5, 90))
    heights = random.integers(least, draw(st.integers(least, 102)) + 1, count)
    widths = random.integers(1, np.floor(1.6 * heights) + 1)
    lefts, bottoms = random.integers(0, wide, count), random.integers(0, high, count)
    boxes = sorted(zip(lefts, bottoms, widths, heights, strict=True), key=lambda box: box[0])
    return [
        burnt_in._Mark(int(left), int(bottom - height), int(left + width), int(bottom))
        for left, bottom, width, height in boxes
    ]


@settings(max_examples=1000, deadline=None)
@given(scattered_marks())
def test_lines_are_those_of_comparing_all_marks(marks: list[burnt_in._Mark]) -> None:
    event(f"line: {is_line_by_all_pairs(marks)}")
    assert burnt_in._is_line_among(marks) == is_line_by_all_pairs(marks)


@settings(max_examples=300, deadline=None)
@given(scattered_marks())
def test_lines_are_as_long_as_comparing_all_marks_says(marks: list[burnt_in._Mark]) -> None:
    lines, lengths = burnt_in._Lines(), []
    for index, mark in enumerate(marks):
        before = [n for n, o in zip(lengths, marks[:index], strict=True) if mark.follows(o)]
        lengths.append(1 + max(before, default=0))
        assert lines.add(mark) == lengths[-1]


def spots(side: int, step: int, width: int = 5) -> np.ndarray:
    """A picture full of small marks; those of one pixel's width and wide steps make no line."""
    picture = np.zeros((side, side), np.uint8)
    for y in range(4, side - step, step):
        for x in range(4, side - step, step):
            picture[y : y + 5, x : x + width] = 255
            if width > 1:
                picture[y, x] = picture[y + 4, x + 4] = picture[y + 2, x + 2] = 0
    return picture


def test_of_many_marks_few_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    follows = burnt_in._Mark.follows
    monkeypatch.setattr(burnt_in._Mark, "follows", lambda *pair: calls.append(0) or follows(*pair))
    everywhere = np.ones((720, 720), bool)
    dense, sparse = spots(720, 10), spots(720, 14, 1)
    assert burnt_in._has_line(dense, dense > 0, everywhere)  # and the first line is enough
    assert len(calls) < 2_000
    calls.clear()
    assert len(list(burnt_in._marks(sparse, sparse > 0, everywhere))) > 2_500
    assert not burnt_in._has_line(sparse, sparse > 0, everywhere)
    assert len(calls) < 20_000


def test_no_more_spots_are_looked_at_than_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(burnt_in, "_MOST_SPOTS", 7)
    picture = spots(200, 14, 1)
    marks = list(burnt_in._marks(picture, picture > 0, np.ones(picture.shape, bool)))
    assert [mark.left for mark in marks] == [4] * 7


@pytest.mark.data
@pytest.mark.parametrize(
    "pattern", ["figshare/images/*.jpg", "lgg/kaggle_3m/*/*_[0-9].tif"], ids=["figshare", "lgg"]
)
def test_fewer_than_one_in_a_hundred_real_slices_is_raised(pattern: str) -> None:
    folder = os.environ.get("NEUROTRIAGE_DATA")
    if not folder:
        pytest.skip("NEUROTRIAGE_DATA is not set")
    paths = sorted(Path(folder).glob(pattern))[::3]
    raised = [path for path in paths if burnt_in_text(decode(path.read_bytes()))]
    assert len(paths) > 100
    assert len(raised) < 0.01 * len(paths)
