"""DICOM files on their way in: nothing of an identity stays."""

from __future__ import annotations

import io
import logging
import struct
import warnings

import numpy as np
import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, RLELossless

from core.errors import InputError
from core.imaging import open_image, without_identity
from core.imaging.deidentify import attributes as deidentify_attributes
from core.imaging.dicom import fragments, read
from tests import dicoms, identities
from tests.core.imaging.deidentified import KEEPING, PRIVACY, SYNTAXES, parsed, reduced
from tests.core.imaging.enhanced_groups import fill_groups


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
def test_an_identity_in_every_text_is_gone(syntax: str) -> None:
    dataset = dicoms.mr_dataset()
    identities.plant(dataset)
    data = identities.to_bytes(dataset, syntax)
    if syntax != DeflatedExplicitVRLittleEndian:
        assert set(identities.traces_in(data)) >= {identities.NAME, identities.NUMBER}
    assert identities.traces_in(without_identity(data, PRIVACY)) == []


def test_nothing_is_left_of_an_identity_in_single_and_multi_frame_files() -> None:
    for data in (identities.identified_dicom(), identities.identified_multi_frame()):
        with_uids = without_identity(data, KEEPING)
        assert identities.traces_in(without_identity(data, PRIVACY)) == []
        # The hospital's UIDs stay for the node alone, and nothing else does.
        without_uids = with_uids.replace(identities.UID_ROOT.encode(), b"")
        assert identities.UID_ROOT.encode() in with_uids
        assert identities.traces_in(without_uids) == []


def test_the_planting_reaches_thousands_of_attributes() -> None:
    dataset = parsed(identities.identified_dicom())
    holding = [e for e in dataset.iterall() if identities.NAME in str(e.value)]
    assert len(holding) > 3000
    assert len({e.VR for e in holding}) >= 10


@pytest.mark.parametrize("name", ["Müller^Jörg", "Ζορμπάς^Αλέξης", "山田^太郎", "김^희중"])
def test_names_in_other_letters_go_too(name: str) -> None:
    dataset = dicoms.mr_dataset(SpecificCharacterSet="ISO_IR 192", PatientName=name)
    dataset.PatientComments = dataset.SequenceName = dataset.ProtocolName = name
    dataset.PatientID = name
    result = without_identity(dicoms.to_bytes(dataset), PRIVACY)
    assert name.split("^")[0].encode() not in result
    assert parsed(result).PatientID.startswith("P-")


def test_numbers_with_letters_in_them_go() -> None:
    data = dicoms.to_bytes(dicoms.mr_dataset(ImagingFrequency="63.872"))
    for text in (b"ZQXDOE", b"1Z2X3Q", b"12\\ZX4"):
        changed = data.replace(b"63.872", text)
        assert text in changed
        assert text not in without_identity(changed, PRIVACY)
    assert b"63.872" in without_identity(data, PRIVACY)


def test_binary_numbers_hold_no_more_values_than_they_may() -> None:
    dataset = dicoms.mr_dataset()
    dataset[0x00189087] = DataElement(0x00189087, "FD", 1000.0)  # diffusion b-value
    kept = reduced(dicoms.to_bytes(dataset))
    assert kept.DiffusionBValue == 1000.0
    dataset[0x00189087] = DataElement(0x00189087, "OB", identities.NAME.encode() + bytes(5))
    data = dicoms.to_bytes(dataset)
    at = data.index(struct.pack("<HH2s", 0x0018, 0x9087, b"OB"))
    as_numbers = data[: at + 4] + b"FD" + struct.pack("<H", 16) + data[at + 12 :]
    assert identities.traces_in(as_numbers)
    assert identities.traces_in(without_identity(as_numbers, PRIVACY)) == []


def test_what_stands_behind_uncompressed_pixels_within_their_value_goes() -> None:
    dataset = dicoms.mr_dataset()
    dataset.PixelData += identities.NAME.encode() + b"\0"
    assert len(reduced(dicoms.to_bytes(dataset)).PixelData) == 96 * 80 * 2


def test_offset_tables_that_do_not_fit_the_fragments_go() -> None:
    data = dicoms.to_bytes(dicoms.mr_dataset(), RLELossless)
    dataset = parsed(data)
    fragments = dataset.PixelData[8 + struct.unpack_from("<I", dataset.PixelData, 4)[0] :]
    dataset.PixelData = struct.pack("<HHI", 0xFFFE, 0xE000, 12) + b"ZQXDOE_JANE " + fragments
    dataset.ExtendedOffsetTable = b"ZQXDOE_1ZQXDOE_2"
    dataset.ExtendedOffsetTableLengths = b"ZQXDOE_3ZQXDOE_4"
    stream = io.BytesIO()
    dataset.save_as(stream)
    changed = stream.getvalue()
    assert identities.traces_in(changed)
    assert identities.traces_in(without_identity(changed, PRIVACY)) == []


def items(count: int) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, 0) * count


def with_empty_items(tag: int, count: int) -> bytes:
    """A file with one more sequence, of defined length, whose items hold nothing."""
    dataset = dicoms.mr_dataset()
    dataset.add(DataElement(tag, "SQ", [Dataset() for _ in range(count)]))
    return dicoms.to_bytes(dataset)


def test_items_of_all_sequences_of_a_file_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = dicoms.mr_dataset()
    for number, tag in enumerate((0x00082112, 0x00081140)):
        # No two alike: what is, is parsed once.
        items = [Dataset() for _ in range(10)]
        for more, nested in enumerate(items):
            empty = [Dataset() for _ in range(2 + 10 * number + more)]
            nested.add(DataElement(0x0040A170, "SQ", empty))
        dataset.add(DataElement(tag, "SQ", items))
    data = dicoms.to_bytes(dataset)
    without_identity(data, PRIVACY)
    monkeypatch.setattr(deidentify_attributes, "_MOST_WORK", 3000)  # either alone takes less
    with pytest.raises(InputError, match="more attributes than any MRI"):
        without_identity(data, PRIVACY)
    without_identity(with_empty_items(0x00082112, 100), PRIVACY)
    with pytest.raises(InputError, match="more attributes than any MRI"):
        without_identity(with_empty_items(0x00082112, 300), PRIVACY)


def test_large_enhanced_objects_stay_below_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = dicoms.multi_frame_dataset(np.zeros((60, 8, 8), np.uint16))
    fill_groups(dataset)
    data = dicoms.to_bytes(dataset)
    # As if it had 3,000 frames, and only three quarters of the work were allowed.
    for module, name in ((read, "_MOST_READS"), (deidentify_attributes, "_MOST_WORK")):
        monkeypatch.setattr(module, name, int(getattr(module, name) * 60 / 3000 * 0.75))
    out = reduced(data)
    assert len(out.PerFrameFunctionalGroupsSequence) == 60
    for number, frame in enumerate(out.PerFrameFunctionalGroupsSequence):
        assert frame.FrameContentSequence[0].FrameAcquisitionNumber == number
        assert frame.MRDiffusionSequence[0].DiffusionGradientDirectionSequence
        assert frame.MREchoSequence[0].EffectiveEchoTime == 12


def test_millions_of_empty_fragments_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = parsed(dicoms.to_bytes(dicoms.mr_dataset(), RLELossless))
    dataset.PixelData += items(12)
    stream = io.BytesIO()
    dataset.save_as(stream)
    monkeypatch.setattr(fragments, "_MOST_FRAGMENTS", 20)
    without_identity(stream.getvalue(), PRIVACY)
    monkeypatch.setattr(fragments, "_MOST_FRAGMENTS", 10)
    with pytest.raises(InputError, match="damaged"):
        without_identity(stream.getvalue(), PRIVACY)


def test_logs_and_warnings_are_silent(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    dataset = dicoms.mr_dataset()
    identities.plant(dataset)
    dataset.add_new(0x00181030, "LO", identities.NAME * 20)  # longer than allowed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = identities.to_bytes(dataset)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        without_identity(data, PRIVACY)
        open_image(without_identity(data, PRIVACY)).scan(0)
    assert identities.traces_in(caplog.text.encode()) == []
    assert identities.traces_in(" ".join(str(w.message) for w in heard).encode()) == []
