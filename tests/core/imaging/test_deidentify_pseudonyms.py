"""Pseudonyms hold together what belongs together, and their key is made once."""

from __future__ import annotations

import re
import stat
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import StoreError
from core.imaging import Pseudonyms, load_pseudonyms

ONE, OTHER = Pseudonyms(b"k" * 32), Pseudonyms(b"l" * 32)


@given(st.text(), st.text())
def test_a_patient_keeps_the_pseudonym_of_the_key(number: str, issuer: str) -> None:
    pseudonym = ONE.patient(number, issuer)
    assert re.fullmatch(r"P(-[0-9A-HJKMNP-TV-Z]{4}){3}", pseudonym)
    assert pseudonym == ONE.patient(f" {number} ", issuer) == ONE.patient(pseudonym, "elsewhere")
    assert pseudonym != OTHER.patient(number, issuer)


@given(st.text())
def test_a_uid_keeps_its_stand_in(uid: str) -> None:
    made = ONE.uid(uid)
    assert ONE.uid(made) == made != OTHER.uid(uid)
    assert UUID(int=int(made.removeprefix("2.25."))).version == 8
    assert len(made) <= 64


def test_other_patients_and_uids_get_others() -> None:
    assert len({ONE.patient(str(n)) for n in range(5000)}) == 5000
    assert len({ONE.uid(f"1.2.{n}") for n in range(5000)}) == 5000
    assert ONE.patient("7", "North") != ONE.patient("7", "South") != ONE.patient("7")


def test_what_only_looks_like_a_pseudonym_gets_one() -> None:
    looks = ["P-0000-0000-0000", "P-7K3Q-XM2A-9DWF", "2.25.1", f"2.25.{2**128 - 1}"]
    assert [ONE.patient(text) == text for text in looks[:2]] == [False, False]
    assert [ONE.uid(text) == text for text in looks[2:]] == [False, False]


def test_the_key_is_not_shown() -> None:
    assert "kkkk" not in repr(ONE)
    with pytest.raises(ValueError, match="16"):
        Pseudonyms(b"short")


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "key"
    first = load_pseudonyms(path, "")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_pseudonyms(path, "") == first
    assert [p.name for p in path.parent.iterdir()] == ["key"]
    assert load_pseudonyms(tmp_path / "second", "") != first


def test_several_processes_at_once_agree(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4) as pool:
        keys = list(pool.map(_key, [tmp_path / "key"] * 16))
    assert len(set(keys)) == 1


def _key(path: Path) -> bytes:
    return load_pseudonyms(path, "").key


def test_a_setting_goes_before_the_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    assert load_pseudonyms(path, "a long enough text") == load_pseudonyms(
        path, "a long enough text"
    )
    assert not path.exists()
    with pytest.raises(StoreError, match="16"):
        load_pseudonyms(path, "short")


def test_a_damaged_key_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("damaged")
    with pytest.raises(StoreError, match="backup"):
        load_pseudonyms(path, "")
    assert path.read_text() == "damaged"
