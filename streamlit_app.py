"""The application in the browser: page configuration, disclaimer, who is reading, navigation."""

import streamlit as st

from core.services.words import DISCLAIMER
from pages.components.installation import shared_installation
from pages.components.reader import forget_wanted_page, reader_gate, wanted_page
from pages.components.upload_files import note_lost_files
from pages.components.visit import show_visit

st.set_page_config(
    page_title="NeuroTriage", page_icon="🧠", layout="wide", initial_sidebar_state="collapsed"
)

pages = [
    st.Page("pages/worklist.py", title="Worklist", icon=":material/list_alt:", default=True),
    st.Page("pages/upload.py", title="Upload", icon=":material/upload:"),
    st.Page("pages/case.py", title="Case", icon=":material/radiology:"),
    st.Page("pages/analyse.py", title="Quick look", icon=":material/visibility:"),
    st.Page("pages/model_card.py", title="Model", icon=":material/monitoring:"),
]
page = st.navigation(pages, position="top")
# Streamlit wraps the container in a box of its own, and that box is what has to stick.
# It stays below the header however far the page is scrolled; what passes behind it is blurred.
# Margins are narrow: readers want to see many cases, and large scans, at once.
st.html(
    "<style>"
    ".stMainBlockContainer {padding: 4rem clamp(1rem, 3vw, 3rem) 3rem}"
    ":has(> .st-key-disclaimer) {position: sticky; top: 3.75rem; z-index: 90;"
    " backdrop-filter: blur(16px); border-radius: 0.5rem}"
    # The theme's faded text has a contrast of 4.2 to 1 on white; small print needs 4.5.
    "[data-testid=stCaptionContainer][data-testid] {color: inherit; opacity: 0.78}"
    # A chosen pill is told by its frame and ground; in the primary colour its text has 3.9 to 1.
    "[data-testid=stApp] button[data-rac][data-variant=segmented_control][data-selected=true],"
    "[data-testid=stApp] button[data-rac][data-variant=pills][data-selected=true] {color: inherit}"
    # So have the numbers above sliders on the dark ground.
    "[data-testid=stSliderThumbValue][data-testid] {color: inherit}"
    ".st-key-disclaimer [data-testid=stAlertContainer] {padding: 0.3rem 0.75rem}"
    "</style>"
)
with st.container(key="disclaimer"):
    st.warning(
        f"**{DISCLAIMER}** Do not use it to diagnose or treat anyone.", icon=":material/info:"
    )
note_lost_files()
installation = shared_installation()
wanted = wanted_page(pages, page)
show_visit(passing=wanted is not None)
reader_gate(installation)
forget_wanted_page()
if wanted:
    other, query = wanted
    st.switch_page(other, query_params=query)
page.run()
