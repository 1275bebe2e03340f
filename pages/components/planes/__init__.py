"""Three orthogonal planes through a point of a volume, moved through without the server."""

import hashlib
import json
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import streamlit as st

from core.services.pictures import MASK_COLOUR
from core.services.volume_planes import VolumeLayers
from pages.components.media import media_url

_FOLDER = Path(__file__).parent

_planes = st.components.v2.component(
    "volume_planes",
    html=(_FOLDER / "planes.html").read_text(encoding="utf-8"),
    css=(_FOLDER / "planes.css").read_text(encoding="utf-8"),
    js=(_FOLDER / "planes.js").read_text(encoding="utf-8"),
)


def pack_volume(series: int, layers: VolumeLayers) -> bytes:
    """A volume as ``planes.js`` unpacks it: length of a header, the header, deflated layers."""
    pixels, mask = (
        zlib.compress(np.ascontiguousarray(one).astype(np.uint8).tobytes(), 1)
        for one in (layers.pixels, layers.mask)
    )
    header = {
        "series": series,
        "shape": layers.pixels.shape,
        "stackAxis": layers.stack_axis,
        "steps": layers.slice_steps,
        "start": layers.start,
        "tilt": round(layers.tilt_degrees),
        "maskColour": MASK_COLOUR,
        "pixels": len(pixels),
    }
    text = json.dumps(header).encode()
    return len(text).to_bytes(4, "little") + text + pixels + mask


def show_planes(
    series: int,
    packed: bytes | None,
    *,
    key: str,
    on_load: Callable[[], None],
    problem: str | None = None,
) -> None:
    """Show the planes, linked with the viewer of the same series.

    Args:
        series: id of the series.
        packed: from ``pack_volume``; None to have the browser ask for it once the page is there.
        key: of the component.
        on_load: called when the browser asks.
        problem: why there will be no planes, in words.
    """
    data: dict[str, object] = {"series": series, "problem": problem, "url": None}
    if packed is not None:
        data["digest"] = hashlib.sha256(packed).hexdigest()
        # The address is short, and the volume does not go to the browser again with every run.
        data["url"] = media_url(packed, "application/octet-stream", key)
    _planes(key=key, data=data, on_load_change=on_load)
