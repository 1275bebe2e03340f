"""A series on the page of its case: gone through by slices, plotted, measured, in three planes."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from core.errors import InputError, StoreError
from core.services import words
from core.services.installation import Installation
from core.services.review_layers import Display, series_display, slice_layers
from core.services.volumes import (
    SeriesView,
    VolumeMeasures,
    edge_letters,
    measure_series,
    volume_layers,
)
from core.types import Reader
from pages.components.case_findings import (
    show_distribution_warning,
    show_findings,
    show_retry,
    show_state,
)
from pages.components.case_state import OpenCase
from pages.components.installation import TOLD_APART
from pages.components.planes import pack_volume, show_planes
from pages.components.times import clock
from pages.components.viewer import (
    Packed,
    Picture,
    Place,
    Stack,
    message,
    pack_slices,
    show_viewer,
)
from pages.components.volume_chart import show_volume_chart

# Slices that go to the browser together: so many pixels take some tenths of a second.
_PIXELS_A_CHUNK = 3_000_000
_FEWEST, _MOST = 4, 32


@dataclass
class _Where:
    """Where the reader is in a series; kept for the session.

    Attributes:
        index: the slice.
        turn: rises with every move that was not made in the viewer.
        want: chunk of slices that the browser lacks; None where it lacks none.
    """

    index: int
    turn: int
    want: int | None

    def go(self, index: int) -> None:
        """Have the viewer show a slice."""
        self.index = index
        self.turn += 1


def show_volume(
    installation: Installation,
    me: Reader,
    opened: OpenCase,
    one: SeriesView,
    beside: Packed,
) -> None:
    """Show a series.

    Args:
        installation: where it is.
        me: who reads.
        opened: the case.
        one: the series.
        beside: an earlier scan to put beside it, or nothing.
    """
    where = _where(one)
    for notice in one.series.notices:
        st.warning(notice, icon=":material/warning:")
    if one.stands_out:
        st.warning(one.stands_out, icon=":material/warning:")
    if one.states:
        st.info(one.states, icon=":material/hourglass_top:")
    show_retry(installation, me, opened, failed=one.failed > 0)
    try:
        _show_viewer(installation, one, where, beside)
    except (InputError, StoreError) as error:
        st.error(f"**This series cannot be shown.** {error}", icon=":material/broken_image:")
    st.markdown("**Tumour probability along the slices.** A click goes to the slice.")
    show_volume_chart(one, where.index, f"case_volume_chart_{one.series.id}", where.go)
    _show_measures(installation, one, where)
    _show_planes(installation, one)
    shown = one.slices[where.index]
    st.markdown(f"##### {one.caption(where.index)}")
    show_state(shown)
    show_distribution_warning(shown)
    show_findings(shown, f"case_chart_series_{one.series.id}")


def _where(one: SeriesView) -> _Where:
    first = _Where(one.opens_at, 0, one.opens_at // _chunk_size(one))
    where: _Where = st.session_state.setdefault(f"case_volume_{one.series.id}", first)
    # Slices may have come or gone since.
    where.index = min(where.index, len(one.slices) - 1)
    return where


def _chunk_size(one: SeriesView) -> int:
    first = one.slices[0]
    return max(_FEWEST, min(_MOST, _PIXELS_A_CHUNK // (first.height * first.width)))


def _show_viewer(
    installation: Installation, one: SeriesView, where: _Where, beside: Packed
) -> None:
    def moved(place: Place) -> None:
        if place.series != one.series.id:
            return
        # An older turn: the page has sent the reader elsewhere meanwhile.
        if place.turn == where.turn:
            where.index = min(max(place.index, 0), len(one.slices) - 1)
        where.want = place.want

    chunk, slices = _chunk_size(one), None
    versions = one.versions
    if where.want is not None and 0 <= where.want * chunk < len(versions):
        first = where.want * chunk
        asked = tuple(range(first, min(first + chunk, len(versions))))
        slices = _packed_slices(
            installation, one, one.series.id, asked, [versions[i] for i in asked], _contents(one)
        )
    where.want = None
    leading = one.slices[one.leading].analysis
    stack = Stack(
        id=one.series.id,
        index=where.index,
        turn=where.turn,
        chunk=chunk,
        leading=one.leading,
        versions=versions,
        captions=tuple(one.caption(index) for index in range(len(versions))),
        findings=tuple(one.finding(index) for index in range(len(versions))),
        slices=slices,
    )
    data = message(beside, leading.finding.predicted if leading else None, stack)
    show_viewer(data, key="case_viewer", on_move=moved)
    st.caption(one.geometry)


# Decoding takes longer than the rest of the page; readers of one series share it.
@st.cache_data(max_entries=24, ttl=3600, show_spinner=False, hash_funcs=TOLD_APART)
def _packed_slices(
    installation: Installation,
    _one: SeriesView,
    series: int,
    asked: tuple[int, ...],
    versions: Sequence[str],
    contents: str,
) -> Packed:
    chosen = [_one.slices[index] for index in asked]
    display = _display(installation, _one, series, contents)
    layers = slice_layers(installation, chosen, display)
    pictures = {
        index: Picture(
            id=scan.id,
            title=f"Slice {index + 1}",
            layers=drawn,
            finding=scan.analysis.finding if scan.analysis else None,
            spacing_mm=scan.spacing_mm,
            letters=edge_letters(scan.place) if scan.place else None,
        )
        for index, scan, drawn in zip(asked, chosen, layers, strict=True)
    }
    return pack_slices(series, pictures, _one.versions)


@st.cache_data(max_entries=64, ttl=3600, show_spinner=False, hash_funcs=TOLD_APART)
def _display(installation: Installation, _one: SeriesView, series: int, contents: str) -> Display:
    return series_display(installation, _one.slices)


def _contents(one: SeriesView) -> str:
    """A text that stays the same while the pixels of all slices do."""
    slices = "".join(f"{scan.content_key}/{scan.frame} " for scan in one.slices)
    return hashlib.sha256(slices.encode()).hexdigest()


def _show_measures(installation: Installation, one: SeriesView, where: _Where) -> None:
    with st.container(border=True, key="case_volume_measures"):
        st.markdown("##### The outlined region in the whole series")
        try:
            measures = _measures(installation, one, one.series.id, one.versions)
        except StoreError as error:
            st.error(str(error), icon=":material/broken_image:")
            return
        analysed = [scan.analysis for scan in one.slices if scan.analysis]
        if measures is None:
            text = "No region was outlined" if analysed else "Not analysed yet: nothing to measure"
            st.markdown(f"{text}.")
        else:
            st.markdown(f"**Volume.** {words.volume(measures)}")
            says, goes = st.columns([5, 2], vertical_alignment="center")
            says.markdown(f"**Longest diameter.** {words.longest_diameter(measures)}")
            goes.button(
                f"Go to slice {measures.diameter_slice + 1}",
                key=f"case_volume_longest_{one.series.id}",
                on_click=where.go,
                args=(measures.diameter_slice,),
                width="stretch",
            )
            st.caption(words.HOW_MEASURED)
        if analysed:
            made = sorted({analysis.finding.model_version for analysis in analysed})
            latest = max(analysis.created_at for analysis in analysed)
            st.caption(f"Model {', '.join(made)} · analysed {clock(latest)}. {words.DISCLAIMER}")


@st.cache_data(max_entries=128, ttl=3600, show_spinner=False, hash_funcs=TOLD_APART)
def _measures(
    installation: Installation, _one: SeriesView, series: int, versions: Sequence[str]
) -> VolumeMeasures | None:
    return measure_series(installation, _one)


@st.fragment
def _show_planes(installation: Installation, one: SeriesView) -> None:
    """Three planes; put together only when the page is there, since that takes its time."""
    asked = f"case_planes_{one.series.id}"
    packed, problem = None, None
    if one.waiting:
        problem = "The three planes are shown once the model has looked at all slices."
    elif st.session_state.get(asked):
        try:
            packed = _packed_volume(installation, one, one.series.id, one.versions)
        except (InputError, StoreError) as error:
            problem = f"There are no three planes of this series. {error}"
    st.markdown("**Three planes.** A click moves the cross-hair, and the viewer to its slice.")
    show_planes(
        one.series.id,
        packed,
        key=f"case_planes_{one.series.id}",
        on_load=lambda: st.session_state.__setitem__(asked, True),
        problem=problem,
    )


@st.cache_data(max_entries=12, ttl=3600, show_spinner=False, hash_funcs=TOLD_APART)
def _packed_volume(
    installation: Installation, _one: SeriesView, series: int, versions: Sequence[str]
) -> bytes:
    window = _display(installation, _one, series, _contents(_one)).start
    return pack_volume(series, volume_layers(installation, _one, window))
