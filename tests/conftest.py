"""Fixtures for all tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder with real scans, laid out as in the README; tests that use it carry `data`."""
    setting = os.environ.get("NEUROTRIAGE_DATA")
    if not setting:
        pytest.skip("NEUROTRIAGE_DATA is not set: tests on real scans are skipped")
    root = Path(setting)
    # A wrong path is a mistake, not an absent data set: skipping would hide it.
    assert root.is_dir(), f"NEUROTRIAGE_DATA names {root}, which is not a folder"
    return root
