"""The simulated sample cases: the button that brings them, and what they are on their pages."""

import streamlit as st

from core.errors import NeuroTriageError
from core.services import words
from core.services.installation import Installation
from core.services.review import CaseView
from core.services.samples import Loaded, load_samples, sample_facts, samples, samples_wanted
from core.types import Reader
from pages.components.text import escaped
from pages.components.visit import remember_samples, room_problem
from pages.components.worklist_view import current_view


def offer_samples(installation: Installation, me: Reader, first: bool = False) -> None:
    """A button that fills the worklist with the samples, where they have a place in it.

    Args:
        installation: whose worklist it is.
        me: who asks.
        first: whether it is the first thing to do on its page.
    """
    if not samples_wanted(installation):
        return
    with st.container(horizontal=True, vertical_alignment="center", key="samples_offer"):
        asked = st.button(
            "Try it with sample scans",
            icon=":material/science:",
            key="samples_load",
            type="primary" if first else "secondary",
            help="Pictures, a DICOM series and a NIfTI volume, of all four classes. They go "
            "through the same model as any upload.",
        )
        # A visitor's workspace is deleted as a whole; of a lasting one nothing ever is.
        lasting = " They stay in the worklist, as every case does, and count in no live figure."
        if installation.settings.demo.active:
            lasting = ""
        st.caption(
            f"Adds {len(samples())} simulated cases, nobody’s scans, each marked as simulated."
            f"{lasting}"
        )
    if not asked:
        return
    if problem := room_problem():
        st.error(problem, icon=":material/sd_card_alert:")
        return
    try:
        with st.spinner("Storing the sample scans …"):
            loaded = load_samples(installation, me)
    except NeuroTriageError as error:
        st.error(f"**The sample scans were not all stored.** {error}")
        return
    remember_samples()
    view = current_view()
    view.to_first_page()
    view.message = _in_words(loaded)
    st.switch_page("pages/worklist.py")


def show_sample(view: CaseView) -> None:
    """Of a sample: what was simulated, and whether the model found it. Nothing of other cases."""
    sample = sample_facts(view.details)
    if sample is None:
        return
    simulated = f"**Simulated sample, nobody’s scan.** {escaped(sample.words)}"
    case = view.summary
    said = case.predicted
    if said is None or case.scored_count + case.failed_count < case.scan_count:
        st.info(f"{simulated} The model is still at work on it.", icon=":material/science:")
    elif said is sample.meant:
        st.info(f"{simulated} The model is right.", icon=":material/science:")
    else:
        meant, name = words.CLASS_NAMES[sample.meant], words.CLASS_NAMES[said]
        st.warning(
            f"{simulated} **The model is wrong here:** it says {name.lower()}, and "
            f"{meant.lower()} was simulated. The sample stays as it is: models err.",
            icon=":material/science:",
        )


def _in_words(loaded: Loaded) -> str:
    cases = "1 sample case" if loaded.added == 1 else f"{loaded.added} sample cases"
    if not loaded.problems:
        return f"{cases} added. They are scored one after the other."
    return f"{cases} added; not everything could be used: {loaded.problems[0]}"
