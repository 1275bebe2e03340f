"""DICOM files of many makers, random and damaged ones: reduced or refused."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom.data
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import config
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from core.errors import InputError
from core.imaging import DirectoryFileError, open_image, without_identity
from tests import dicoms, identities
from tests.core.imaging.deidentified import KEEPING, PRIVACY, reduced

SAMPLES = sorted(
    path
    for path in (Path(pydicom.data.__file__).parent / "test_files").glob("*.dcm")
    if path.stat().st_size < 2_000_000
)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_files_of_many_makers(path: Path) -> None:
    data = path.read_bytes()
    try:
        image = open_image(data)
        for frame in range(image.frame_count):
            image.scan(frame)
    except InputError:
        # What cannot be shown need not be reduced; but it never fails otherwise.
        try:
            result = without_identity(data, PRIVACY)
        except InputError:
            return
        assert without_identity(result, PRIVACY) == result
        return
    reduced(data)


def test_a_directory_is_told_from_a_damaged_file() -> None:
    listing = dicoms.dicomdir([dicoms.to_bytes(dicoms.mr_dataset())])
    with pytest.raises(DirectoryFileError):
        without_identity(listing, PRIVACY)


def test_privacy_is_asked_for() -> None:
    for data in (dicoms.to_bytes(dicoms.mr_dataset()), dicoms.nifti()):
        with pytest.raises(ValueError, match="pseudonyms"):
            without_identity(data)


# -- whatever comes --------------------------------------------------------------------------------

_ATTRIBUTES = list(identities.text_attributes())

_words = st.text(st.characters(codec="utf-8", exclude_characters="\0\\"), max_size=20)


@st.composite
def _datasets(draw: st.DrawFn) -> Dataset:
    dataset = dicoms.mr_dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    for _ in range(draw(st.integers(1, 12))):
        holder = dataset
        for _ in range(draw(st.integers(0, 3))):
            tag = draw(st.sampled_from(_SEQUENCES))
            if tag not in holder:
                holder[tag] = DataElement(tag, "SQ", [Dataset()])
            holder = holder[tag].value[0]
        tag, kind = draw(st.sampled_from(_ATTRIBUTES))
        value = identities.value_of(kind)
        if kind in ("LO", "LT", "PN", "SH", "ST", "UC", "UT"):  # those in any letters
            value = draw(_words) + identities.NAME + draw(_words)
        if kind != "UI" or tag not in holder:
            holder[tag] = DataElement(tag, kind, value)
    return dataset


_SEQUENCES = list(identities.sequences())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    _datasets(), st.sampled_from([ExplicitVRLittleEndian, ImplicitVRLittleEndian]), st.booleans()
)
def test_random_datasets_keep_their_picture_and_lose_the_rest(
    dataset: Any, syntax: str, keep_uids: bool
) -> None:
    privacy = KEEPING if keep_uids else PRIVACY
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = dicoms.to_bytes(dataset, syntax)
    result = without_identity(data, privacy)
    assert without_identity(result, privacy) == result
    found = identities.traces_in(result)
    # Of kept UIDs the number may be a part.
    assert set(found) <= ({identities.NUMBER} if keep_uids else set())
    assert np.array_equal(open_image(result).scan(0).pixels, dicoms.head_slice()[..., None])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    edits=st.lists(
        st.tuples(st.integers(0, 1500), st.integers(0, 8), st.binary(max_size=8)),
        min_size=1,
        max_size=4,
    )
)
def test_a_damaged_file_is_reduced_or_refused(edits: list[tuple[int, int, bytes]]) -> None:
    data = bytearray(dicoms.to_bytes(dicoms.mr_dataset()))
    for at, cut, put in edits:
        data[at : at + cut] = put
    try:
        result = without_identity(bytes(data), PRIVACY)
    except InputError:
        return
    assert without_identity(result, PRIVACY) == result


def test_pydicoms_remarks_stay_off() -> None:
    assert config.settings.reading_validation_mode == config.IGNORE
