"""JPEG: tables, frames and scans."""

from __future__ import annotations

import re

from core.imaging.containers.orientation import orientation_block

_START, _END, _SCAN = b"\xff\xd8", b"\xff\xd9", 0xDA
# Frame headers, Huffman and quantisation tables, arithmetic conditioning, restart interval, scan.
_KEPT = {*range(0xC0, 0xD0), 0xDA, 0xDB, 0xDD} - {0xC8}
_NO_FRAME = {0xC4, 0xCC}
_APP0, _APP1, _APP14 = 0xE0, 0xE1, 0xEE
# A scan ends at the first marker that is no stuffed byte and no restart.
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
# What the decoder asks for the colour model of three components: a JFIF header, else Adobe's; of
# four: Adobe's. Their other fields do not matter.
_JFIF = b"\xff\xe0\x00\x10JFIF\0\x01\x01\x00\x00\x01\x00\x01\x00\x00"
_ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"


def essential(data: bytes, orientation: int) -> bytes:
    """The first picture of a JPEG file without its metadata.

    Args:
        data: the file.
        orientation: EXIF orientation to keep, 1 to 8.

    Raises:
        ValueError: the file is laid out in an unknown way.
    """
    if not data.startswith(_START):
        raise ValueError("no start of image")
    components, jfif, transform = 0, False, None
    kept: list[bytes] = []
    at, scanned = len(_START), False
    while at < len(data):
        marker, at = _marker(data, at)
        if marker == _END[1]:
            break
        end = at + int.from_bytes(data[at : at + 2], "big")
        segment = data[at:end]
        if len(segment) < 2 or end > len(data):
            raise ValueError("segment beyond the end")
        if marker in _KEPT:
            kept.append(bytes([0xFF, marker]) + segment)
            if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAME and len(segment) > 7:
                components = segment[7]
        elif marker == _APP0 and segment[2:7] == b"JFIF\0" and len(segment) >= 16:
            jfif = jfif or not scanned
        elif marker == _APP14 and segment[2:7] == b"Adobe" and len(segment) >= 14 and not scanned:
            transform = segment[13]
        at = end
        if marker == _SCAN:
            scanned = True
            stop = _AFTER_SCAN.search(data, at)
            at = stop.start() if stop else len(data)
            # Fill bytes belong to the marker and not to the scan.
            kept.append(data[end:at].rstrip(b"\xff") if stop else data[end:])
    head = [_START]
    if jfif and components == 3:
        head.append(_JFIF)
    elif transform is not None and components > 1:
        head.append(_ADOBE + bytes([transform]))
    if orientation != 1:
        block = b"Exif\0\0" + orientation_block(orientation)
        head.append(bytes([0xFF, _APP1]) + (len(block) + 2).to_bytes(2, "big") + block)
    return b"".join([*head, *kept, _END])


def _marker(data: bytes, at: int) -> tuple[int, int]:
    """The marker at a position, fill bytes before it skipped, and the position behind it."""
    if data[at] != 0xFF:
        raise ValueError("no marker where one belongs")
    while at < len(data) and data[at] == 0xFF:
        at += 1
    if at == len(data):
        raise ValueError("no marker behind fill bytes")
    return data[at], at + 1
