"""The model's results on the series of a case as files that other systems read."""

from collections.abc import Callable
from functools import partial

import streamlit as st

from core.errors import NeuroTriageError
from core.services import words
from core.services.installation import Installation
from core.services.results import ResultFile, SeriesChoice, case_choices, download, packed
from core.services.review import CaseView
from core.types import Reader
from pages.components.text import escaped

# Results name images by their UIDs, and those of uploads are replaced on the way in.
_IMAGES = (
    "It refers to the images of a series that came over the network as your archive knows them, "
    "and viewers show the two together. Uploaded images are kept here under other UIDs: to them it "
    "refers, and not to the images in your archive."
)
_HELP = {
    "DICOM segmentation": f"The outlined region as DICOM SEG, slice by slice. {_IMAGES}",
    "DICOM report": "Class, probabilities, sizes and the model’s version as DICOM SR "
    f"(TID 1500, Measurement Report). Marked as not verified. {_IMAGES}",
    "NIfTI mask": "The outlined region in the voxels of the volume that was sent: 1 inside, 0 "
    "outside.",
}
_ALL = "all"
# The files that this session prepared last: of one case at most, since they may be large.
_MADE = "case_results_made"


@st.fragment
def show_results(installation: Installation, me: Reader, view: CaseView) -> None:
    """A menu with the files; nothing where the case has no series."""
    if all(scan.series_id is None for scan in view.scans):
        return
    with st.popover(
        "Results", icon=":material/download:", key="case_results", on_change="rerun"
    ) as menu:
        if menu.open:
            _menu(installation, me, view)


def _menu(installation: Installation, me: Reader, view: CaseView) -> None:
    try:
        choices = case_choices(installation, view)
    except NeuroTriageError as error:
        st.error(escaped(str(error)))
        return
    chosen = _chosen(choices, view.summary.id)
    if st.button(
        "Prepare the files",
        icon=":material/build:",
        key="case_results_make",
        help="Takes some seconds. The files hold the patient’s pseudonym and no name.",
    ):
        st.session_state.pop(_MADE, None)
        try:
            with st.spinner("Writing the files …"):
                made = download(installation, me, view.summary.id, chosen)
        except NeuroTriageError as error:
            st.error(f"**The files were not made.** {escaped(str(error))}")
            return
        st.session_state[_MADE] = (view.summary.version, chosen, made)
    version, of, made = st.session_state.get(_MADE, (None, None, None))
    if made is None or (version, of) != (view.summary.version, chosen):
        return
    for reason in made.missing:
        st.info(escaped(reason), icon=":material/info:")
    # Of several series a button each would not say whose file it is.
    if len(chosen) > 1 and made.files:
        _button(
            "Files of all series (ZIP)",
            partial(packed, made.files),
            f"neurotriage-case-{view.summary.id}-results.zip",
            "application/zip",
        )
    else:
        for file in made.files:
            _file(file)
    if made.files:
        st.caption(f"Made by the model, not verified by a reader. {words.DISCLAIMER}")


def _chosen(choices: tuple[SeriesChoice, ...], case_id: int) -> tuple[SeriesChoice, ...]:
    """The series that the reader wants; all at first."""
    if len(choices) == 1:
        st.caption(escaped(choices[0].name))
        return choices
    names = {one.id: one.name for one in choices}
    wanted = st.selectbox(
        "Series",
        [_ALL, *names],
        format_func=lambda one: f"All {len(names)} series" if one == _ALL else names[one],
        key=f"case_{case_id}_results_of",
    )
    return choices if wanted == _ALL else tuple(one for one in choices if one.id == wanted)


def _file(file: ResultFile) -> None:
    _button(file.what, file.data, file.name, file.media_type, _HELP[file.what])


def _button(
    label: str,
    data: bytes | Callable[[], bytes],
    name: str,
    media_type: str,
    explained: str | None = None,
) -> None:
    st.download_button(
        label,
        data=data,
        file_name=name,
        mime=media_type,
        icon=":material/download:",
        help=explained,
        on_click="ignore",
        key=f"case_results_{name}",
        width="stretch",
    )
