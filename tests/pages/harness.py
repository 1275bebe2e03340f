"""Pages run by Streamlit's own test harness: opened, used, and what they say and send."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

from core.types import Reader

ROOT = Path(__file__).resolve().parents[2]
FRONT_DOOR = ROOT / "streamlit_app.py"
# A page that hangs is found by the limit of the test; a slow machine must not look like one.
_SECONDS = 200


def new_app(reader: Reader | None = None, script: Path = FRONT_DOOR) -> AppTest:
    """A script, not run yet, in a session of its own that this reader signed in to."""
    app = AppTest.from_file(script, default_timeout=_SECONDS)
    if reader is not None:
        app.session_state["reader"] = reader
    return app


def page_of(reader: Reader, page: str, session: dict[str, Any] | None = None, **query) -> AppTest:
    """A page as a reader has it in a tab of their own.

    Args:
        reader: who signed in.
        page: its script from the project's root, such as ``pages/case.py``.
        session: what the session's state holds before.
        query: what the page's address says; what is None is left out.
    """
    app = new_app(reader)
    for name, value in (session or {}).items():
        app.session_state[name] = value
    app.run().switch_page(page)
    for name, value in query.items():
        if value is not None:
            app.query_params[name] = str(value)
    return shown(app.run())


def shown(app: AppTest) -> AppTest:
    """The same, which must not have ended in an exception."""
    assert not app.exception, app.exception
    return app


def text_of(app: AppTest, kinds: Sequence[str]) -> str:
    """The texts of all elements of these kinds, kind by kind, one a line."""
    return "\n".join(element.value for kind in kinds for element in getattr(app, kind))


def button(app: AppTest, label: str):
    """The only button of this label."""
    [found] = [one for one in app.button if one.label == label]
    return found


def press(app: AppTest, label: str) -> AppTest:
    return shown(button(app, label).click().run())


def components(app: AppTest, name: str) -> list:
    """What the browser is given for each component of this name."""
    found = [one.proto for one in app.get("bidi_component")]
    return [one for one in found if one.component_name == name]


def sent_to_viewers(app: AppTest) -> list[dict[str, Any]]:
    """The header of what each viewer of scans is given; its pictures and slices follow it."""
    sent = [one.bytes for one in components(app, "scan_viewer")]
    return [json.loads(data[4 : 4 + int.from_bytes(data[:4], "little")]) for data in sent]


def place_of(app: AppTest, element: Any) -> tuple[int, ...]:
    """Where an element stands: its container's numbers from the page down, and its own.

    The browser keeps what is being typed only in an input that stays where it is.
    """

    def below(block: Any) -> Iterator[tuple[int, ...]]:
        for number, one in block.children.items():
            if one is element:
                yield (number,)
            for rest in below(one) if hasattr(one, "children") else ():
                yield (number, *rest)

    [place] = below(element.root)
    return place
