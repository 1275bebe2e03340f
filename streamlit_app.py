"""The application in the browser: page configuration, disclaimer, navigation."""

import streamlit as st

from core.services.words import DISCLAIMER

st.set_page_config(page_title="NeuroTriage", page_icon=":material/neurology:", layout="wide")

page = st.navigation(
    [st.Page("pages/analyse.py", title="Analyse scans", icon=":material/radiology:")],
    position="top",
)
st.warning(f"**{DISCLAIMER}** Do not use it to diagnose or treat anyone.", icon=":material/info:")
page.run()
