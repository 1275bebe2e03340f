"""Pseudonyms: the same patient and the same UID always get the same, and nobody can go back.

They are made by a keyed hash (HMAC-SHA-256). Without the key, a list of patient numbers is of no
use to find out whose pseudonym it is; whoever has the key can try numbers, so it is kept like a
password.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import re
import secrets
import tempfile
import unicodedata
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from core.errors import StoreError

_KEY_BYTES = 32
# As many bytes of entropy as a person is asked for at the least.
_SHORTEST_SETTING = 16
# Crockford's digits: none that looks like another.
_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PATIENT = re.compile(rf"P-[{_DIGITS}]{{4}}-[{_DIGITS}]{{4}}-[{_DIGITS}]{{4}}")
_WORD = re.compile(rf"OTHER_[{_DIGITS}]{{4}}")
_PATIENT_BITS, _PATIENT_CHECK_BITS = 60, 10
_UID = re.compile(r"2\.25\.(0|[1-9][0-9]{0,38})")
# Bits of a UUID that say its version (8: made by its own rules) and variant (RFC 9562).
_UUID_VERSION, _UUID_VARIANT = 8 << 76, 2 << 62
_UUID_FIXED = (15 << 76) | (3 << 62)
_UID_CHECK_BITS = 40


@dataclass(frozen=True)
class Pseudonyms:
    """Pseudonyms under one key.

    A part of each pseudonym is a check of the rest under the key. So a pseudonym is recognised, and
    the pseudonym of a pseudonym is the same one: a file whose identity was removed may come again.

    Attributes:
        key: secret, at least 16 bytes.
    """

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) < _SHORTEST_SETTING:
            raise ValueError(f"a key needs at least {_SHORTEST_SETTING} bytes")

    def patient(self, patient_id: str, issuer: str = "") -> str:
        """A patient's pseudonym, such as ``P-7K3Q-XM2A-9DWF``.

        Blanks around the identifiers do not matter. Fifty bits tell patients apart: with a hundred
        thousand patients, the probability that two share a pseudonym is 1 in 200,000.

        Args:
            patient_id: the patient's identifier.
            issuer: who gave it out; two hospitals may use the same numbers.
        """
        patient_id, issuer = _plain(patient_id), _plain(issuer)
        if self._is_patient(patient_id):
            return patient_id
        content_bits = _PATIENT_BITS - _PATIENT_CHECK_BITS
        content = self._bits(f"patient\0{patient_id}\0{issuer}", content_bits)
        return self._patient_of(content)

    def uid(self, uid: str) -> str:
        """The UID that stands for another one: ``2.25.`` and a UUID of version 8 (PS3.5 B.2)."""
        uid = uid.strip("\0 ")
        if self._is_uid(uid):
            return uid
        return self._uid_of(self._bits(f"uid\0{uid}", 122 - _UID_CHECK_BITS))

    def word(self, word: str) -> str:
        """What stands for a word that is not known, such as ``OTHER_7K3Q``."""
        word = word.strip("\0 ")
        if _WORD.fullmatch(word):
            return word
        number = self._bits(f"word\0{word}", 20)
        return "OTHER_" + "".join(_DIGITS[number >> shift & 31] for shift in (15, 10, 5, 0))

    def _is_patient(self, text: str) -> bool:
        if not _PATIENT.fullmatch(text):
            return False
        number = 0
        for digit in text[2:].replace("-", ""):
            number = number << 5 | _DIGITS.index(digit)
        return self._patient_of(number >> _PATIENT_CHECK_BITS) == text

    def _patient_of(self, content: int) -> str:
        check = self._bits(f"patient check\0{content}", _PATIENT_CHECK_BITS)
        number = content << _PATIENT_CHECK_BITS | check
        shifts = range(_PATIENT_BITS - 5, -1, -5)
        digits = "".join(_DIGITS[number >> shift & 31] for shift in shifts)
        return f"P-{digits[:4]}-{digits[4:8]}-{digits[8:]}"

    def _is_uid(self, text: str) -> bool:
        found = _UID.fullmatch(text)
        if not found or int(found[1]) & _UUID_FIXED != _UUID_VERSION | _UUID_VARIANT:
            return False
        return self._uid_of(_without_fixed(int(found[1])) >> _UID_CHECK_BITS) == text

    def _uid_of(self, content: int) -> str:
        number = content << _UID_CHECK_BITS | self._bits(f"uid check\0{content}", _UID_CHECK_BITS)
        return f"2.25.{_with_fixed(number)}"

    def _bits(self, text: str, count: int) -> int:
        digest = hmac.new(self.key, text.encode("utf-8", "surrogatepass"), sha256).digest()
        return int.from_bytes(digest, "big") >> (8 * len(digest) - count)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip("\0 ")


def _with_fixed(number: int) -> int:
    """122 bits with the six fixed ones of a UUID between them."""
    low, middle, high = number & (1 << 62) - 1, number >> 62 & (1 << 12) - 1, number >> 74
    return high << 80 | _UUID_VERSION | middle << 64 | _UUID_VARIANT | low


def _without_fixed(number: int) -> int:
    low, middle, high = number & (1 << 62) - 1, number >> 64 & (1 << 12) - 1, number >> 80
    return high << 74 | middle << 62 | low


def load_pseudonyms(path: Path, setting: str) -> Pseudonyms:
    """The pseudonyms of an installation.

    Args:
        path: file of the key, used where the setting is empty. It is made with a new key, readable
            by its owner alone, where it does not exist; of several processes that do so at once,
            all get the same key.
        setting: the key as a text of at least 16 characters, or empty.

    Raises:
        StoreError: the setting is too short, or the file cannot be made, read or understood.
    """
    if setting:
        if len(setting) < _SHORTEST_SETTING:
            raise StoreError(
                f"The key of the pseudonyms has {len(setting)} characters; it needs at least "
                f"{_SHORTEST_SETTING}. Set a longer one, or none, so that one is made."
            )
        return Pseudonyms(sha256(setting.encode()).digest())
    try:
        if not path.exists():
            _make_key_file(path)
        text = path.read_text(encoding="ascii", errors="replace").strip()
    except OSError as error:
        raise StoreError(
            f"The key of the pseudonyms cannot be kept in {path} ({error.strerror}). Check who may "
            "read and write there, or set the key itself."
        ) from error
    if not re.fullmatch(rf"[0-9a-f]{{{2 * _KEY_BYTES}}}", text):
        raise StoreError(
            f"The file {path} does not hold a key of pseudonyms (64 hexadecimal digits). Restore "
            "it from a backup: with another key, patients would get other pseudonyms."
        )
    return Pseudonyms(bytes.fromhex(text))


def _make_key_file(path: Path) -> None:
    """Write a new key beside the path and link it there, which only the first one can."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix="new-key-")  # with mode 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()
