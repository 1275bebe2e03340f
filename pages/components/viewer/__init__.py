"""The scan in the browser: window and level, zoom and pan, overlays, all without the server."""

import hashlib
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from core.services.pictures import MASK_COLOUR, heat_colours
from core.services.review_layers import ScanLayers
from core.services.words import CLASS_NAMES, heat_map_meaning, mask_meaning, percent
from core.types import CLASSES, ScanFinding

_FOLDER = Path(__file__).parent
# The browser takes one module; the parts are in the order in which they build on each other.
_PARTS = ("layers.js", "draw.js", "gestures.js", "viewer.js")
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
    """

    id: int
    title: str
    layers: ScanLayers
    finding: ScanFinding | None
    spacing_mm: tuple[float, float] | None


def message(pictures: list[Picture]) -> bytes:
    """The scan, and where there is a second one the one beside it, as ``layers.js`` unpacks it."""
    layers: list[bytes] = []

    def add(array: np.ndarray) -> int:
        layers.append(zlib.compress(np.ascontiguousarray(array).tobytes(), 3))
        return len(layers) - 1

    finding = pictures[0].finding
    header = {
        "pictures": [_about(picture, add) for picture in pictures],
        "colours": add(heat_colours()),
        "gradient": ", ".join(f"rgb({r} {g} {b})" for r, g, b in heat_colours()[_GRADIENT_STEPS]),
        "maskColour": MASK_COLOUR,
        "predicted": finding.predicted if finding else None,
        "channels": _CHANNELS,
        "classes": [
            {
                "id": one,
                "name": f"{CLASS_NAMES[one]} ({percent(finding.probabilities[one])})",
                "meaning": heat_map_meaning(one),
            }
            for one in CLASSES
            if finding
        ],
    }
    header["layers"] = [len(layer) for layer in layers]
    body = b"".join(layers)
    text = json.dumps(header, sort_keys=True)
    header["digest"] = hashlib.sha256(text.encode() + body).hexdigest()
    packed = json.dumps(header).encode()
    return len(packed).to_bytes(4, "little") + packed + body


def show_viewer(packed: bytes, key: str) -> None:
    """Show what ``message`` packed.

    Args:
        packed: the message.
        key: the viewer with the same key keeps zoom, window and overlays between runs.
    """
    _viewer(key=key, data=packed)


def _about(picture: Picture, add: Callable[[np.ndarray], int]) -> dict[str, object]:
    layers, finding = picture.layers, picture.finding
    height, width = layers.pixels.shape[:2]
    heat_maps = layers.heat_maps
    heat_size = next((one.shape[::-1] for one in heat_maps.values()), (0, 0))
    source_height, source_width = layers.source_size
    return {
        "id": picture.id,
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
        "windows": {
            channel: [{"name": one.name, "low": one.low, "high": one.high} for one in presets]
            for channel, presets in layers.windows.items()
        },
        "pixels": add(layers.pixels),
        "mask": None if layers.mask is None else add(layers.mask),
        "heatMaps": {name: add(heat) for name, heat in heat_maps.items()},
        "heatSize": heat_size,
        "analysed": finding is not None,
        "maskMeaning": mask_meaning(finding) if finding else "",
    }
