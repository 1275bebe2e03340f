"""The application in the browser: page configuration, disclaimer, navigation."""

import streamlit as st

from core.services.words import DISCLAIMER

st.set_page_config(page_title="NeuroTriage", page_icon="🧠", layout="wide")

page = st.navigation(
    [st.Page("pages/analyse.py", title="Analyse scans", icon=":material/radiology:")],
    position="top",
)
# Streamlit wraps the container in a box of its own, and that box is what has to stick.
# It stays below the header however far the page is scrolled; what passes behind it is blurred.
st.html(
    "<style>:has(> .st-key-disclaimer) {position: sticky; top: 3.75rem; z-index: 90;"
    " backdrop-filter: blur(16px); border-radius: 0.5rem}</style>"
)
with st.container(key="disclaimer"):
    st.warning(
        f"**{DISCLAIMER}** Do not use it to diagnose or treat anyone.", icon=":material/info:"
    )
page.run()
