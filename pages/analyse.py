"""A look at scans without keeping them: probabilities, mask and heat map of each."""

import streamlit as st

from core.services.analyse import Failure, model_facts
from core.services.pictures import MaskStyle
from pages.components.engine import engine_or_stop
from pages.components.installation import shared_installation
from pages.components.memory import return_memory
from pages.components.reader import signed_in_reader
from pages.components.result import DisplayChoice, show_failure, show_result
from pages.components.uploads import analysed, upload_scans

signed_in_reader()
st.title("Quick look")
engine = engine_or_stop()
facts = model_facts(engine)
# Before the uploader: where the visitor's workspace has ended, what was uploaded goes with it.
shared_installation()

uploads = upload_scans()
if not uploads:
    st.info(
        "Upload one or several brain MRI slices to see what the model says of them. Nothing is "
        "stored and no case is made: to have scans read, use the page Upload."
    )
    st.stop()

style, mask_opacity, heat_opacity = st.columns(3, gap="large")
choice = DisplayChoice(
    mask_style=style.segmented_control(
        "Mask",
        list(MaskStyle),
        default=MaskStyle.OUTLINE,
        format_func=str.capitalize,
        required=True,
    ),
    mask_opacity=mask_opacity.slider("Mask opacity", 0, 100, 80, step=5, format="%d %%"),
    heat_map_opacity=heat_opacity.slider("Heat map opacity", 0, 100, 60, step=5, format="%d %%"),
)

outcomes, some_are_new = analysed(engine, uploads)
for number, outcome in enumerate(outcomes):
    if isinstance(outcome, Failure):
        show_failure(outcome)
    else:
        show_result(number, outcome, facts, choice)
if some_are_new:  # Drawing them took as much memory once more.
    return_memory()
