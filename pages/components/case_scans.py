"""The scans of a case: the viewer, what the model says, and earlier cases beside it."""

from functools import partial

import streamlit as st

from core.errors import InputError, StoreError
from core.services import words
from core.services.installation import Installation
from core.services.review import CaseView, EarlierCase, StoredScan
from core.services.review_layers import scan_layers
from core.services.worklist import thumbnail
from core.types import Reader, ScoringState
from pages.components.case_actions import Place, try_again
from pages.components.case_earlier import show_earlier
from pages.components.case_state import OpenCase, follow, show_error
from pages.components.probability_chart import probability_chart
from pages.components.times import clock, day
from pages.components.viewer import Picture, message, show_viewer

_STATES = {
    ScoringState.QUEUED: "waits",
    ScoringState.SCORED: "analysed",
    ScoringState.FAILED: "failed",
}
# More small pictures scroll in a box of their own, of so many pixels.
_SCANS_IN_SIGHT, _STRIP_HEIGHT = 6, 700


@st.fragment
def show_scans(installation: Installation, me: Reader, opened: OpenCase, view: CaseView) -> None:
    """Everything about one scan at a time; the decision beside it stays as it is."""
    follow(opened)
    if len(view.scans) == 1:
        _show_scan(installation, me, opened, view, 0)
        return
    with st.container(horizontal=True, gap="small", key="case_scans"):
        height = _STRIP_HEIGHT if len(view.scans) > _SCANS_IN_SIGHT else "content"
        with st.container(width=88, height=height, border=False, key="case_strip"):
            chosen = _chosen_scan(installation, view)
        with st.container(width="stretch", key="case_scan"):
            _show_scan(installation, me, opened, view, chosen)


def _show_scan(
    installation: Installation, me: Reader, opened: OpenCase, view: CaseView, chosen: int
) -> None:
    scan = view.scans[chosen]
    _show_state(installation, me, opened, view, scan)
    beside = st.session_state.get(_beside_key(view))
    earlier = next((one for one in view.earlier if one.id == beside), None)
    _show_pictures(installation, view, chosen, earlier)
    if scan.analysis:
        _show_findings(chosen, scan)
    show_earlier(view, earlier, on_beside=partial(_put_beside, view))


def _chosen_scan(installation: Installation, view: CaseView) -> int:
    """The scan that the reader chooses; at first the one that decided the priority."""
    key = f"case_{view.summary.id}_scan"
    chosen: int = st.session_state.setdefault(key, view.leading)
    for index, scan in enumerate(view.scans):
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


def _show_state(
    installation: Installation, me: Reader, opened: OpenCase, view: CaseView, scan: StoredScan
) -> None:
    """What stands in the way of reading this scan, before the scan itself."""
    if scan.state is ScoringState.QUEUED:
        text = "This scan waits for the model. You can read it now"
        st.info(
            f"{text}; the page shows the analysis when it is there.",
            icon=":material/hourglass_top:",
        )
    if scan.state is ScoringState.FAILED:
        st.error(
            f"**The model could not analyse this scan.** {scan.failure or ''} Please read it "
            "without the model.",
            icon=":material/error:",
        )
    if any(one.state is ScoringState.FAILED for one in view.scans):
        st.button(
            "Try the analysis again",
            icon=":material/refresh:",
            key="case_retry",
            on_click=try_again,
            args=(installation, me, opened),
        )
    show_error(opened, Place.SCAN)
    warning = words.distribution_warning(scan.analysis.finding) if scan.analysis else None
    if warning:
        st.warning(warning, icon=":material/warning:")


def _show_pictures(
    installation: Installation, view: CaseView, chosen: int, earlier: EarlierCase | None
) -> None:
    scan = view.scans[chosen]
    title = f"Scan {chosen + 1}" if len(view.scans) > 1 else "Scan"
    shown = [(title, scan)]
    if earlier is not None:
        shown.append((f"Earlier: {day(earlier.made_on)}", earlier.scan))
    try:
        packed = _packed(installation, shown, [_identity(title, one) for title, one in shown])
    except (InputError, StoreError) as error:
        st.error(f"**This scan cannot be shown.** {error}", icon=":material/broken_image:")
        return
    show_viewer(packed, key="case_viewer")


# Decoding and packing take longer than the rest of the page; most runs show the same scan again.
@st.cache_data(max_entries=32, ttl=3600, show_spinner=False)
def _packed(
    _installation: Installation,
    _shown: list[tuple[str, StoredScan]],
    identity: list[tuple[object, ...]],
) -> bytes:
    return message(
        [
            Picture(
                id=scan.id,
                title=title,
                layers=scan_layers(_installation, scan.id),
                finding=scan.analysis.finding if scan.analysis else None,
                spacing_mm=scan.spacing_mm,
            )
            for title, scan in _shown
        ]
    )


def _identity(title: str, scan: StoredScan) -> tuple[object, ...]:
    """What the packed message of a scan depends on."""
    analysis = scan.analysis
    made = (analysis.mask_key, analysis.finding.model_version) if analysis else ()
    return title, scan.id, scan.content_key, *made


def _show_findings(chosen: int, scan: StoredScan) -> None:
    analysis = scan.analysis
    finding = analysis.finding
    with st.container(border=True, key="case_findings"):
        chart, text = st.columns([1, 1], gap="medium")
        explanation = words.explanation(finding, analysis.decision_threshold)
        with chart:
            st.plotly_chart(
                probability_chart(finding, analysis.decision_threshold),
                key=f"case_chart_{chosen}",
                config={"displayModeBar": False},
                alt=explanation,
            )
        with text:
            st.markdown(f"##### The model: {words.headline(finding)}")
            st.caption(explanation)
            if finding.lesion:
                share = words.percent(finding.lesion.area_fraction)
                st.markdown(
                    f"**Size of the outlined region.** {words.measurements(finding.lesion)} "
                    f"It takes {share} of the head in this slice."
                )
            else:
                st.markdown("**Size.** No region was outlined.")
            st.caption(
                f"Model {finding.model_version} · analysed {clock(analysis.created_at)} · "
                f"{scan.width} × {scan.height} pixels, {scan.source_format}. {words.DISCLAIMER}"
            )


def _beside_key(view: CaseView) -> str:
    return f"case_{view.summary.id}_beside"


def _put_beside(view: CaseView, earlier_id: int | None) -> None:
    st.session_state[_beside_key(view)] = earlier_id
