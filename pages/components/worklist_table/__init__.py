"""The table of the worklist: rows that a keyboard and a screen reader reach."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

_FOLDER = Path(__file__).parent
_KEY = "worklist_table"


def _asset(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


COLUMNS_EXPLAINED = _asset("columns.md")
_table = st.components.v2.component(
    "worklist_table",
    html=_asset("table.html"),
    css=_asset("table.css"),
    js=_asset("place.js") + _asset("table.js"),
)


@dataclass(frozen=True)
class Sorting:
    """The order as the header shows it."""

    key: str
    descending: bool


def worklist_table(
    rows: Sequence[Mapping[str, Any]],
    *,
    caption: str,
    content_id: str,
    sorting: Sorting,
    selected: Sequence[int],
    epoch: int,
    came_from: int | None,
    note: str,
    updated: str,
    on_sort: Callable[[str], None],
    on_select: Callable[[int, list[int]], None],
    on_take: Callable[[int], None],
    on_release: Callable[[int], None],
) -> int | None:
    """Mount the table; the case that the reader opens, once, or None.

    Args:
        rows: from ``table_row``.
        caption: what the table shows, for who cannot see it.
        content_id: differs where another page, order or filter is shown; the same content with
            newer data keeps the reader's place.
        sorting: the order.
        selected: numbers of the selected cases.
        epoch: the browser takes ``selected`` over when this changes; otherwise its own stands.
        came_from: the case to stand at when the table appears.
        note: a sentence below the table.
        updated: moment of the data, ISO 8601 with zone.
        on_sort: with the key of a header.
        on_select: with the epoch and the numbers of all selected cases.
        on_take: with the case that the reader wants.
        on_release: with the case that the reader gives back.
    """

    def told(event: str, do: Callable[..., None]) -> Callable[[], None]:
        def callback() -> None:
            value = st.session_state[_KEY].get(event)
            if value is not None:
                do(value)

        return callback

    found = _table(
        key=_KEY,
        data={
            "rows": list(rows),
            "caption": caption,
            "list": content_id,
            "sort": {
                "key": sorting.key,
                "direction": "descending" if sorting.descending else "ascending",
            },
            "selection": {"epoch": epoch, "ids": list(selected)},
            "came_from": came_from,
            "note": note,
            "updated": updated,
        },
        on_sorted_change=told("sorted", on_sort),
        on_selection_change=told(
            "selection",
            lambda value: on_select(int(value["epoch"]), [int(n) for n in value["ids"]]),
        ),
        on_taken_change=told("taken", lambda value: on_take(int(value))),
        on_released_change=told("released", lambda value: on_release(int(value))),
        on_opened_change=lambda: None,
    )
    return None if found.opened is None else int(found.opened)
