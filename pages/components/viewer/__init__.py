"""The scan in the browser: window and level, zoom and pan, overlays, all without the server."""

import hashlib
import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from core.services.pictures import MASK_COLOUR, heat_colours
from core.services.review_layers import ScanLayers
from core.services.words import CLASS_NAMES, heat_map_meaning, mask_meaning, percent
from core.types import CLASSES, ScanFinding, TumourClass

_FOLDER = Path(__file__).parent
# The browser takes one module; the parts are in the order in which they build on each other.
_PARTS = ("layers.js", "draw.js", "gestures.js", "stack.js", "viewer.js")
_GRADIENT_STEPS = [0, 51, 102, 153, 204, 255]
# Composites of the training: sequences before contrast, FLAIR, after contrast.
_CHANNELS = (("all", "All three"), ("0", "1 (red)"), ("1", "2 (green)"), ("2", "3 (blue)"))

_viewer = st.components.v2.component(
    "scan_viewer",
    html=(_FOLDER / "viewer.html").read_text(encoding="utf-8"),
    css=(_FOLDER / "viewer.css").read_text(encoding="utf-8"),
    js="\n".join((_FOLDER / part).read_text(encoding="utf-8") for part in _PARTS),
)


@dataclass(frozen=True, eq=False)
class Picture:
    """A scan in the viewer.

    Attributes:
        id: the same for the same scan, so that the viewer keeps what the reader had set for it.
        title: written over its pane, such as ``Scan 2``.
        layers: what is drawn.
        finding: what the model says; None where it has not looked yet.
        spacing_mm: millimetres between rows and between columns, where known.
        letters: the patient's sides at the left, right, upper and lower edge, where known.
    """

    id: int
    title: str
    layers: ScanLayers
    finding: ScanFinding | None
    spacing_mm: tuple[float, float] | None
    letters: tuple[str, str, str, str] | None = None


@dataclass(frozen=True)
class Packed:
    """Pictures as they go to the browser: what is said of each, and their compressed layers."""

    pictures: list[dict[str, Any]]
    layers: list[bytes]


@dataclass(frozen=True)
class Stack:
    """A series in the viewer, which the reader goes through without the server.

    Attributes:
        id: of the series.
        index: the slice to show, where ``turn`` differs from what the browser knows.
        turn: rises whenever the page, not the reader in the viewer, chose the slice.
        chunk: slices that the browser asks for together.
        leading: index of the slice that speaks for the series.
        versions: one text a slice; what the browser has of a slice counts while it stays the same.
        captions: which slice it is, in words, by slice.
        findings: what the model says of it, in a few words, by slice.
        slices: those that go to the browser now, from ``pack_slices``; None where it has them.
    """

    id: int
    index: int
    turn: int
    chunk: int
    leading: int
    versions: tuple[str, ...]
    captions: tuple[str, ...]
    findings: tuple[str, ...]
    slices: Packed | None


@dataclass(frozen=True)
class Place:
    """Where the reader is in a series.

    Attributes:
        series: id of the series.
        index: the slice that is shown.
        turn: the ``Stack.turn`` that the browser knows.
        want: number of the chunk that the browser lacks; None where it lacks none.
    """

    series: int
    index: int
    turn: int
    want: int | None


def pack(pictures: Sequence[Picture]) -> Packed:
    """Pack pictures that stand for themselves."""
    layers: list[bytes] = []
    return Packed([_about(picture, layers) for picture in pictures], layers)


def pack_slices(series: int, slices: dict[int, Picture], versions: Sequence[str]) -> Packed:
    """Pack slices of a series, by index; ``versions`` are those of the ``Stack``."""
    layers: list[bytes] = []
    pictures = [
        _about(picture, layers)
        | {"group": f"series {series}"}
        | {"index": i, "version": versions[i]}
        for i, picture in slices.items()
    ]
    return Packed(pictures, layers)


def message(packed: Packed, predicted: TumourClass | None, stack: Stack | None = None) -> bytes:
    """What is shown, as ``layers.js`` unpacks it.

    Args:
        packed: the scan, and where there is a second one the one beside it; with a stack only the
            one beside it.
        predicted: the class whose Grad-CAM is offered first.
        stack: the series in place of the scan.
    """
    layers = [*packed.layers, _compressed(heat_colours())]
    header: dict[str, Any] = {
        "pictures": packed.pictures,
        "colours": len(layers) - 1,
        "gradient": ", ".join(f"rgb({r} {g} {b})" for r, g, b in heat_colours()[_GRADIENT_STEPS]),
        "maskColour": MASK_COLOUR,
        "predicted": predicted,
        "channels": _CHANNELS,
        "classes": [{"id": one, "meaning": heat_map_meaning(one)} for one in CLASSES],
        "stack": None,
    }
    if stack is not None:
        first = len(layers)
        sent = stack.slices or Packed([], [])
        layers += sent.layers
        header["stack"] = vars(stack) | {
            "count": len(stack.versions),
            "slices": [_renumbered(about, first) for about in sent.pictures],
        }
    header["layers"] = [len(layer) for layer in layers]
    body = b"".join(layers)
    text = json.dumps(header, sort_keys=True)
    header["digest"] = hashlib.sha256(text.encode() + body).hexdigest()
    text = json.dumps(header).encode()
    return len(text).to_bytes(4, "little") + text + body


def show_viewer(data: bytes, key: str, on_move: Callable[[Place], None] | None = None) -> None:
    """Show what ``message`` made.

    Args:
        data: the message.
        key: the viewer with the same key keeps zoom, window and overlays between runs.
        on_move: told where the reader is in a series and what the browser lacks of it.
    """

    def told() -> None:
        at = st.session_state[key].get("at")
        if at is not None and on_move is not None:
            on_move(Place(int(at["series"]), int(at["index"]), int(at["turn"]), at["want"]))

    _viewer(key=key, data=data, on_at_change=told)


def _about(picture: Picture, packed: list[bytes]) -> dict[str, Any]:
    """What is said of a picture; its layers go to the end of ``packed``."""

    def add(array: np.ndarray) -> int:
        packed.append(_compressed(array))
        return len(packed) - 1

    layers, finding = picture.layers, picture.finding
    height, width = layers.pixels.shape[:2]
    heat_maps = layers.heat_maps
    heat_size = next((one.shape[::-1] for one in heat_maps.values()), (0, 0))
    source_height, source_width = layers.source_size
    return {
        "id": picture.id,
        "group": f"scan {picture.id}",
        "title": picture.title,
        "label": f"{source_width} × {source_height} pixels, {layers.bits} bit",
        "width": width,
        "height": height,
        "sourceWidth": source_width,
        "channels": 1 if layers.pixels.ndim == 2 else 3,
        "bits": layers.pixels.dtype.itemsize * 8,
        "offset": layers.offset,
        "scale": layers.scale,
        "range": layers.value_range,
        "spacing": picture.spacing_mm,
        "letters": picture.letters,
        "windows": {
            channel: [{"name": one.name, "low": one.low, "high": one.high} for one in presets]
            for channel, presets in layers.windows.items()
        },
        "pixels": add(layers.pixels),
        "mask": None if layers.mask is None else add(layers.mask),
        "heatMaps": {name: add(heat) for name, heat in heat_maps.items()},
        "heatSize": heat_size,
        "heatNames": {
            name: f"{CLASS_NAMES[name]} ({percent(finding.probabilities[name])})"
            for name in heat_maps
            if finding
        },
        "analysed": finding is not None,
        "maskMeaning": mask_meaning(finding) if finding else "",
    }


def _renumbered(about: dict[str, Any], first: int) -> dict[str, Any]:
    """A picture whose layers come after ``first`` others."""
    return about | {
        "pixels": about["pixels"] + first,
        "mask": None if about["mask"] is None else about["mask"] + first,
        "heatMaps": {name: number + first for name, number in about["heatMaps"].items()},
    }


def _compressed(array: np.ndarray) -> bytes:
    return zlib.compress(np.ascontiguousarray(array).tobytes(), 1)
