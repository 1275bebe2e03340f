"""The scans of a case, one or one series at a time, and earlier cases beside it."""

from functools import partial

import streamlit as st

from core.errors import InputError, StoreError
from core.services import words
from core.services.installation import Installation
from core.services.review import CaseView, EarlierCase, StoredScan
from core.services.review_layers import scan_layers
from core.services.volumes import CaseSeries, SeriesView, case_series, edge_letters
from core.services.worklist import thumbnail
from core.types import Reader, ScoringState
from pages.components.case_earlier import show_earlier
from pages.components.case_findings import (
    show_distribution_warning,
    show_findings,
    show_retry,
    show_state,
)
from pages.components.case_state import OpenCase, follow
from pages.components.installation import TOLD_APART
from pages.components.times import day
from pages.components.viewer import Packed, Picture, message, pack, show_viewer
from pages.components.volume_view import show_volume

_STATES = {
    ScoringState.QUEUED: "waits",
    ScoringState.SCORED: "analysed",
    ScoringState.FAILED: "failed",
}
# The choice of what is no series.
_PICTURES = -1
# More small pictures scroll in a box of their own, of so many pixels.
_SCANS_IN_SIGHT, _STRIP_HEIGHT = 6, 700


@st.fragment
def show_scans(installation: Installation, me: Reader, opened: OpenCase, view: CaseView) -> None:
    """Everything about one scan or series at a time; the decision beside it stays as it is."""
    follow(opened)
    try:
        found = case_series(installation, view)
    except StoreError as error:
        st.error(str(error), icon=":material/error:")
        return
    beside = st.session_state.get(_beside_key(view))
    earlier = next((one for one in view.earlier if one.id == beside), None)
    series = _chosen_series(view, found)
    if series is not None:
        with st.container(key="case_volume"):
            show_volume(installation, me, opened, series, _beside(installation, earlier))
    else:
        _show_pictures(installation, me, opened, view, found.pictures, earlier)
    show_earlier(view, earlier, on_beside=partial(_put_beside, view))


def _chosen_series(view: CaseView, found: CaseSeries) -> SeriesView | None:
    """The series that the reader chooses; None where they choose the pictures of their own."""
    if not found.series:
        return None
    names = dict(enumerate(one.name for one in found.series))
    if found.pictures:
        count = len(found.pictures)
        names[_PICTURES] = "1 other picture" if count == 1 else f"{count} other pictures"
    first = _PICTURES if found.opens_with is None and found.pictures else found.opens_with or 0
    if len(names) == 1:
        st.markdown(f"**{names[first]}**")
        return found.series[first]
    chosen = st.selectbox(
        "Series",
        list(names),
        index=list(names).index(first),
        format_func=lambda one: names.get(one, ""),
        key=f"case_{view.summary.id}_series",
        help="The case opens with the one that decided its priority, or where that is not "
        "suspicious with one of which a slice stands out.",
    )
    return None if chosen == _PICTURES else found.series[chosen]


def _show_pictures(
    installation: Installation,
    me: Reader,
    opened: OpenCase,
    view: CaseView,
    pictures: tuple[int, ...],
    earlier: EarlierCase | None,
) -> None:
    """Pictures of their own, one at a time."""

    def show(chosen: int) -> None:
        scan = view.scans[pictures[chosen]]
        show_state(scan)
        failed = any(view.scans[one].state is ScoringState.FAILED for one in pictures)
        show_retry(installation, me, opened, failed)
        show_distribution_warning(scan)
        title = f"Scan {chosen + 1}" if len(pictures) > 1 else "Scan"
        _show_viewer(installation, title, scan, earlier)
        show_findings(scan, f"case_chart_{chosen}")

    if len(pictures) == 1:
        show(0)
        return
    with st.container(horizontal=True, gap="small", key="case_scans"):
        height = _STRIP_HEIGHT if len(pictures) > _SCANS_IN_SIGHT else "content"
        with st.container(width=88, height=height, border=False, key="case_strip"):
            chosen = _chosen_scan(installation, view, pictures)
        with st.container(width="stretch", key="case_scan"):
            show(chosen)


def _chosen_scan(installation: Installation, view: CaseView, pictures: tuple[int, ...]) -> int:
    """The picture that the reader chooses; at first the one that decided the priority."""
    key = f"case_{view.summary.id}_scan"
    first = pictures.index(view.leading) if view.leading in pictures else 0
    chosen: int = st.session_state.setdefault(key, first)
    for index, scan in enumerate(view.scans[one] for one in pictures):
        _show_thumbnail(installation, index, scan)
        st.button(
            f"Scan {index + 1}",
            key=f"case_scan_{index}",
            type="primary" if index == chosen else "secondary",
            help=_in_short(scan),
            width="stretch",
            on_click=st.session_state.__setitem__,
            args=(key, index),
        )
    return chosen


def _show_thumbnail(installation: Installation, index: int, scan: StoredScan) -> None:
    if scan.analysis:
        try:
            picture = thumbnail(installation, scan.analysis.thumbnail_key)
            st.image(picture, width=72, alt=f"Scan {index + 1}: {_in_short(scan)}")
            return
        except StoreError:
            pass
    st.caption(f"No picture ({_STATES[scan.state]})")


def _in_short(scan: StoredScan) -> str:
    if scan.analysis is None:
        return {
            ScoringState.QUEUED: "Waits for the model",
            ScoringState.FAILED: "The model could not analyse it",
            ScoringState.SCORED: "Analysed",
        }[scan.state]
    return words.headline(scan.analysis.finding)


def _show_viewer(
    installation: Installation, title: str, scan: StoredScan, earlier: EarlierCase | None
) -> None:
    shown = [(title, scan)]
    if earlier is not None:
        shown.append((_title(earlier), earlier.scan))
    try:
        packed = _packed(installation, shown, [_identity(title, one) for title, one in shown])
    except (InputError, StoreError) as error:
        st.error(f"**This scan cannot be shown.** {error}", icon=":material/broken_image:")
        return
    show_viewer(packed, key="case_viewer")


# Decoding and packing take longer than the rest of the page; most runs show the same scan again.
@st.cache_data(max_entries=32, ttl=3600, show_spinner=False, hash_funcs=TOLD_APART)
def _packed(
    installation: Installation,
    _shown: list[tuple[str, StoredScan]],
    identity: list[tuple[object, ...]],
) -> bytes:
    pictures = [_picture(installation, title, scan) for title, scan in _shown]
    finding = pictures[0].finding
    return message(pack(pictures), finding.predicted if finding else None)


def _picture(installation: Installation, title: str, scan: StoredScan) -> Picture:
    return Picture(
        id=scan.id,
        title=title,
        layers=scan_layers(installation, scan.id),
        finding=scan.analysis.finding if scan.analysis else None,
        spacing_mm=scan.spacing_mm,
        letters=edge_letters(scan.place) if scan.place else None,
    )


def _beside(installation: Installation, earlier: EarlierCase | None) -> Packed:
    """The earlier scan as a picture beside a series; nothing where there is none."""
    if earlier is None:
        return pack([])
    title = _title(earlier)
    try:
        return _packed_beside(installation, title, earlier.scan, _identity(title, earlier.scan))
    except (InputError, StoreError) as error:
        st.error(f"**The earlier scan cannot be shown.** {error}", icon=":material/broken_image:")
        return pack([])


@st.cache_data(max_entries=16, ttl=3600, show_spinner=False, hash_funcs=TOLD_APART)
def _packed_beside(
    installation: Installation, title: str, _scan: StoredScan, identity: tuple[object, ...]
) -> Packed:
    return pack([_picture(installation, title, _scan)])


def _title(earlier: EarlierCase) -> str:
    return f"Earlier: {day(earlier.made_on)}"


def _identity(title: str, scan: StoredScan) -> tuple[object, ...]:
    """What the packed message of a scan depends on."""
    analysis = scan.analysis
    made = (analysis.mask_key, analysis.finding.model_version) if analysis else ()
    return title, scan.id, scan.content_key, scan.frame, *made


def _beside_key(view: CaseView) -> str:
    return f"case_{view.summary.id}_beside"


def _put_beside(view: CaseView, earlier_id: int | None) -> None:
    st.session_state[_beside_key(view)] = earlier_id
