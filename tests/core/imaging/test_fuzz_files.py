"""DICOM and NIfTI files with damaged bytes: a picture or an InputError, soon and in little memory.

A few hundred files in the suite, drawn anew each time; a failing one is kept by Hypothesis and
tried first the next time. For a longer run say how many of each kind::

    NEUROTRIAGE_FUZZ=20000 pytest tests/core/imaging/test_fuzz_files.py --timeout 0
"""

from __future__ import annotations

import resource
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.imaging import open_image
from tests.core.imaging.fuzzed_files import (
    CASES,
    EDIT,
    ENDLESS,
    FILES,
    MEGABYTES,
    SECONDS,
    edited,
    endless,
)


def open_or_refuse(data: bytes) -> None:
    """Anything but finite pictures or an InputError fails the test that calls this."""
    try:
        image = open_image(data)
        for frame in {0, image.frame_count - 1}:
            facts = image.facts(frame)
            assert facts is None or (facts.stack and facts.study_uid and facts.series_uid)
            place = image.place(frame)
            assert place is None or np.isfinite([*place.origin, *place.spacing_mm]).all()
            scan = image.scan(frame)
            assert scan.pixels.ndim == 3 and scan.pixels.size > 0
            assert scan.pixels.dtype == np.float32 and np.isfinite(scan.pixels).all()
    except InputError as error:
        assert str(error).endswith(".") and "Error" not in str(error)


@pytest.mark.parametrize("name", FILES)
@settings(
    max_examples=CASES,
    deadline=None,  # the time of the processor counts, not that of a busy machine
    suppress_health_check=list(HealthCheck),
)
@given(edits=st.lists(EDIT, min_size=1, max_size=6), near=st.sampled_from([0.1, 0.4, 1.0]))
def test_a_damaged_file_is_read_or_refused(name: str, edits: list, near: float) -> None:
    data = edited(FILES[name], edits, near)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    open_or_refuse(data)
    assert time.process_time() - started < SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEGABYTES * 1024


@pytest.mark.parametrize("name", ENDLESS)
def test_a_file_of_endless_parts_takes_bounded_time(name: str) -> None:
    data = endless(name)
    started = time.process_time()
    open_or_refuse(data)
    assert time.process_time() - started < SECONDS
