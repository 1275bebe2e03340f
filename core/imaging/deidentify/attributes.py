"""The attributes of a DICOM object, reduced to what describes its pictures.

The Basic Profile lists what must go and keeps the rest. Here the rest is kept only where it can be
checked: numbers that are numbers, words of the standard, codes of a dictionary. So a name goes from
wherever somebody typed it, geometry and physics stay.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from pydicom.datadict import dictionary_VM, dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.uid import UID_dictionary

from core.imaging.deidentify import terms
from core.imaging.deidentify.codes import known_code
from core.imaging.deidentify.encoding import Encoding
from core.imaging.deidentify.profile import Action, action
from core.imaging.deidentify.pseudonyms import Pseudonyms
from core.imaging.dicom.read import Work, parse_sequence
from core.imaging.dicom.sequence import names_agent

_UNDEFINED = 0xFFFFFFFF
# Enhanced objects of 3,000 frames, with all groups that there are in each, take half of it; it is
# used up in some three seconds and 200 MB. An attribute takes as long as some reads of bytes, as
# many bytes of a sequence as long as one.
_MOST_WORK = 1_000_000
_WORK_OF_ATTRIBUTE, _BYTES_OF_WORK = 3, 256
_WORK_OF_VALUE = {"UI": 5, "DS": 1, "IS": 1}  # of others 2
# Groups that describe pictures: identification, acquisition, relationship, presentation, pixels.
# Of the others nothing is needed to read or measure a scan.
_GROUPS = frozenset((0x0008, 0x0018, 0x0020, 0x0022, 0x0028, 0x2050, 0x5200))
# Beside them: real world values, frame content and times of frames in the functional groups.
_BESIDE = frozenset(
    (0x00400555, 0x004008EA, 0x00409094, 0x00409096, 0x00409098, 0x00409210, 0x00409211,
     0x00409212, 0x00409213, 0x00409214, 0x00409216, 0x00409224, 0x00409225, 0x0040A170,
     0x7FE00001, 0x7FE00002)
)  # fmt: skip
# Binary values that are part of the picture: offsets of packed frames, which are checked with them,
# and tables of values, with the attribute that tells how long they are.
_OFFSETS = frozenset((0x7FE00001, 0x7FE00002))
_TABLES = {
    0x00281201: 0x00281101, 0x00281202: 0x00281102, 0x00281203: 0x00281103,
    0x00283006: 0x00283002,
}  # fmt: skip
_LEAST_ENTRIES = 16
_CODE_VALUE = 0x00080100
_AGENT_SEQUENCE = 0x00180012
_ANY_AGENT = ("385420005", "SCT", "Contrast media")
_CONTRAST_AGENT, _MANUFACTURER, _STACK, _RESCALE_TYPE = (
    0x00180010,
    0x00080070,
    0x00209056,
    0x00281054,
)
_MODEL, _SOFTWARE, _SERIAL, _LUT_LABEL = 0x00081090, 0x00181020, 0x00181000, 0x00409210
# Type 1 attributes without which readers refuse enhanced objects and tables of real world values.
_REQUIRED_TEXTS = frozenset((_MANUFACTURER, _MODEL, _SOFTWARE, _SERIAL, _LUT_LABEL))
# Readers tell the parts of a series apart by their own rules for makers.
_MAKERS = ("SIEMENS", "GE", "PHILIPS", "CANON", "TOSHIBA", "HITACHI", "FUJIFILM", "UIH", "BRUKER")
# Siemens tells the diffusion weight by it.
_SEQUENCE_NAME = 0x00180024
_DIFFUSION_NAME = re.compile(r"\*?ep_b[0-9]{1,5}")
_RESCALE_TYPES = frozenset(("US", "HU", "OD", "NORMALIZED", "ED", "MGML"))

_SIZES = {
    "US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "FD": 8, "AT": 4, "UV": 8, "SV": 8,
    "OB": 1, "OW": 2, "OL": 4, "OV": 8,
}  # fmt: skip
_NUMBER = re.compile(rb"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_LONGEST_NUMBER = 32  # the standard says 16; some scanners write more digits
_SHORT_NUMBER = re.compile(r"[0-9]{1,4}")
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
_LONGEST_UID = 64
_DUMMIES = {"DA": "19000101", "TM": "000000", "DT": "19000101000000", "AS": "000Y"}
_DUMMY_TEXT = "REMOVED"
_DUMMY_AGENT = "CONTRAST AGENT"
_TEXTS = frozenset(("AE", "LO", "LT", "PN", "SH", "ST", "UC", "UT"))
# Kinds that are written in letters: one in place of another is read all the same.
_WRITTEN = _TEXTS | frozenset(("AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"))


@dataclass(frozen=True)
class Attributes:
    """Reduces datasets of one file.

    Attributes:
        pseudonyms: for UIDs.
        keep_uids: whether UIDs stay as they are.
        encoding: the file's.
        required: whether the object is of a kind that requires values (an enhanced one).
        work: what the file's attributes may still cost.
    """

    pseudonyms: Pseudonyms
    keep_uids: bool
    encoding: Encoding
    required: bool
    work: Work = field(default_factory=lambda: Work(_MOST_WORK))
    # Most frames repeat most functional groups: each is reduced once.
    _known: dict[tuple[int, bool, bytes | None], bytes | None] = field(default_factory=dict)

    def reduced(self, dataset: Dataset) -> Dataset:
        """What of a dataset may stay, as it will stand in the file; items of sequences likewise."""
        out = Dataset()
        for element in self._elements(dataset):
            out[element.tag] = element
        return out

    def new_uid(self, uid: str) -> str:
        """The UID that stands for another one; those of the standard itself stay."""
        if uid in UID_dictionary:
            return uid
        kept = self.keep_uids and len(uid) <= _LONGEST_UID and _UID.fullmatch(uid)
        return uid if kept else self.pseudonyms.uid(uid)

    def _elements(self, dataset: Dataset) -> Iterator[RawDataElement]:
        for tag in sorted(map(int, dataset.keys())):
            self.work.spend(_WORK_OF_ATTRIBUTE)
            # Lengths of groups would be wrong now; they are retired.
            if tag & 0xFFFF and (tag >> 16 in _GROUPS or tag in _BESIDE):
                element = self._element(dataset, tag)
                if element is not None:
                    yield element

    def _element(self, dataset: Dataset, tag: int) -> RawDataElement | None:
        rule = _rule(tag, self.required)
        if rule is None:
            return None
        kinds, count, wanted = rule
        raw = dataset.get_item(tag)
        kind = raw.VR
        if kind in (None, "UN") or (kind in _WRITTEN and kinds[0] in _WRITTEN):
            kind = kinds[0]
        if kind not in kinds or (wanted is Action.REMOVE and tag not in _REQUIRED_TEXTS):
            return None
        if kind == "SQ":
            return self._sequence(dataset, tag, wanted)
        if not isinstance(raw, RawDataElement):
            raw = self.encoding.parsed(raw)
        if raw.length == _UNDEFINED:
            return None
        value = raw.value or b""
        if wanted is Action.EMPTY and tag != _CONTRAST_AGENT:
            return self.encoding.raw(tag, kind, b"")
        if kind in _SIZES:
            same_order = raw.is_little_endian == self.encoding.little
            kept = (
                same_order
                and wanted is Action.NONE
                and (
                    self._is_table(dataset, tag, value)
                    if any(name.startswith("O") for name in kinds)
                    else _are_numbers(kind, value, count)
                )
            )
            return raw._replace(VR=kind) if kept else None
        self.work.spend(_WORK_OF_VALUE.get(kind, 2) * (value.count(b"\\") + 1))
        if kind in ("DS", "IS"):
            kept = wanted is Action.NONE and _are_written_numbers(value)
            return raw._replace(VR=kind) if kept else None
        text = self._text(tag, kind, value, wanted)
        return None if text is None else self.encoding.text(tag, kind, text)

    def _is_table(self, dataset: Dataset, tag: int, value: bytes) -> bool:
        """Whether bytes are a table of values of the length that its description says."""
        if tag in _OFFSETS:
            return True
        described = dataset.get_item(_TABLES[tag]) if tag in _TABLES else None
        if not isinstance(described, RawDataElement) or len(described.value or b"") != 6:
            return False
        order = "<" if self.encoding.little else ">"
        entries, _, bits = struct.unpack(order + "3H", described.value)
        entries = entries or 2**16
        lengths = (entries + entries % 2, 2 * entries)
        return entries >= _LEAST_ENTRIES and bits <= 16 and len(value) in lengths

    def _sequence(self, dataset: Dataset, tag: int, wanted: Action) -> RawDataElement | None:
        if wanted is not Action.NONE:
            # Of the listed sequences enhanced objects require the presence, not the content.
            empty = wanted in (Action.EMPTY, Action.DUMMY)
            return self.encoding.raw(tag, "SQ", b"") if empty else None
        raw = dataset.get_item(tag)
        if not isinstance(raw, RawDataElement):
            value = self._items(dataset, tag)
        else:
            key = (tag, raw.is_implicit_VR, raw.value)
            if key not in self._known:
                self.work.spend(len(raw.value or b"") // _BYTES_OF_WORK)
                parse_sequence(dataset, tag, self.work)
                self._known[key] = self._items(dataset, tag)
            value = self._known[key]
        return None if value is None else self.encoding.raw(tag, "SQ", value)

    def _items(self, dataset: Dataset, tag: int) -> bytes | None:
        """The items of a parsed sequence as they will stand in the file; None for nothing."""
        items = [self._item(item) for item in dataset[tag].value]
        if tag == _AGENT_SEQUENCE:
            # That contrast was given is told by an item, whatever the agent.
            items = [item or self.encoding.code(_ANY_AGENT) for item in items]
        # The functional groups go by the number of the frame: an item without content counts.
        return b"".join(map(self.encoding.item, items)) if any(items) else None

    def _item(self, item: Dataset) -> bytes:
        if _CODE_VALUE not in item:
            return b"".join(map(self.encoding.written, self._elements(item)))
        code = known_code(item)
        return b"" if code is None else self.encoding.code(code)

    def _text(self, tag: int, kind: str, value: bytes, wanted: Action) -> str | list[str] | None:
        """What stays of a text, empty for nothing; None where the attribute goes."""
        texts = [part.strip("\0 ") for part in value.decode("latin-1").split("\\")]
        if kind == "UI":
            return [self.new_uid(text) for text in texts if text] or ""
        if kind == "CS":
            return terms.kept_terms(tag, texts, self.pseudonyms.word) or None
        if tag == _CONTRAST_AGENT:
            # Whether contrast was given is told by whether there is a value.
            return _DUMMY_AGENT if names_agent(texts[0]) else ""
        if tag == _STACK and _SHORT_NUMBER.fullmatch(texts[0]):
            return texts[0]
        if tag == _RESCALE_TYPE:
            return texts[0] if texts[0].upper() in _RESCALE_TYPES else "US"
        if tag == _SEQUENCE_NAME:
            found = _DIFFUSION_NAME.match(texts[0])
            return found[0] if found else None
        if tag == _MANUFACTURER:
            return _maker(texts[0]) or (_DUMMY_TEXT if self.required else "")
        if tag in _REQUIRED_TEXTS:
            return _DUMMY_TEXT if self.required or tag == _LUT_LABEL else None
        if wanted is Action.DUMMY:
            return _DUMMIES.get(kind, _DUMMY_TEXT if kind in _TEXTS else None)
        return None


def _maker(text: str) -> str | None:
    word = re.split(r"[^A-Z]", text.upper(), maxsplit=1)[0]
    return word if word in _MAKERS else None


@cache
def _rule(tag: int, required: bool) -> tuple[list[str], str, Action] | None:
    """Kinds and count of an attribute's values, and what becomes of it; None for unknown ones."""
    try:
        kinds, count = dictionary_VR(tag).split(" or "), dictionary_VM(tag)
    except KeyError:
        return None
    return kinds, count, action(tag, required=required)


def _are_numbers(kind: str, value: bytes, count: str) -> bool:
    """Whether a binary value holds as many whole numbers as the attribute may have."""
    numbers, rest = divmod(len(value), _SIZES[kind])
    most = count.split("-")[-1]
    return not rest and (not most.isdecimal() or numbers <= int(most))


def _are_written_numbers(value: bytes) -> bool:
    parts = [part.strip(b"\0 ") for part in value.split(b"\\")]
    return all(
        len(part) <= _LONGEST_NUMBER and (not part or _NUMBER.fullmatch(part)) for part in parts
    )
