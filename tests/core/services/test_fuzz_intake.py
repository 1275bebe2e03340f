"""Whatever file is sent is taken in or refused, soon and in little memory, identity and all."""

from __future__ import annotations

import resource
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.services.installation import Installation
from core.services.receipt import take_file
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
from tests.installations import make_installation


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return make_installation(tmp_path_factory.mktemp("intake"))


def take_or_refuse(installation: Installation, data: bytes) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    try:
        file = take_file(installation, data)
        assert file.slices and installation.files.get(file.content_key)
    except InputError as error:
        assert str(error).endswith(".") and "Error" not in str(error)
    assert time.process_time() - started < SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEGABYTES * 1024


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=max(5, CASES // 4), deadline=None, suppress_health_check=list(HealthCheck))
@given(edits=st.lists(EDIT, min_size=1, max_size=6), near=st.sampled_from([0.1, 0.4, 1.0]))
def test_a_damaged_file_is_taken_in_or_refused(
    installation: Installation, name: str, edits: list, near: float
) -> None:
    take_or_refuse(installation, edited(FILES[name], edits, near))


@pytest.mark.parametrize("name", ENDLESS)
def test_a_file_of_endless_parts_is_refused_in_bounded_time(
    installation: Installation, name: str
) -> None:
    take_or_refuse(installation, endless(name))
