"""Run lengths say exactly what the mask says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from core.services.rle import decode_rle, encode_rle


@pytest.mark.parametrize(
    ("mask", "runs"),
    [
        ([[0, 0, 0], [0, 0, 0]], [6]),
        ([[255, 255, 255], [255, 255, 255]], [0, 6]),
        ([[0, 255, 255], [255, 0, 0]], [1, 3, 2]),
        ([[255, 0, 0], [0, 0, 255]], [0, 1, 4, 1]),
    ],
)
def test_known_masks(mask, runs):
    mask = np.array(mask, np.uint8)
    assert encode_rle(mask) == runs
    assert (decode_rle(runs, mask.shape) == mask).all()


@given(hnp.arrays(np.bool_, st.tuples(st.integers(1, 20), st.integers(1, 20))))
def test_any_mask_comes_back(bits):
    mask = np.where(bits, 255, 0).astype(np.uint8)
    runs = encode_rle(mask)
    assert sum(runs) == mask.size
    assert all(run > 0 for run in runs[1:])
    assert (decode_rle(runs, mask.shape) == mask).all()


@pytest.mark.parametrize("runs", [[5], [7], [-1, 7], []])
def test_runs_that_do_not_fill_the_mask_are_refused(runs):
    with pytest.raises(ValueError, match="add up"):
        decode_rle(runs, (2, 3))
