"""A short guide for a first visit: where scans come in, how they are ordered, who decides."""

import streamlit as st

_STEPS = (
    (
        ":material/upload: Bring scans",
        "Upload pictures, DICOM series or NIfTI volumes, one by one or as a ZIP archive. What "
        "identifies a patient in a file is removed before it is stored. Each scan is analysed in "
        "the background; you may go on working, or leave.",
    ),
    (
        ":material/sort: See who cannot wait",
        "The worklist puts the most urgent case on top and says why in words: the suspected "
        "tumour, its size, doubts of the model, an urgent request, the time waited. The model "
        "orders and explains; it never closes, hides or changes a case.",
    ),
    (
        ":material/radiology: Read and decide",
        "Open a case: the scan with the outlined region and what the model looked at, the "
        "probabilities and how far to trust them. The finding is yours: confirm it or override "
        "it, write a note, ask for a second reader, print the report.",
    ),
)


def show_guide() -> None:
    """Three steps side by side; one below the other where the page is narrow."""
    for column, (title, text) in zip(st.columns(len(_STEPS), gap="medium"), _STEPS, strict=True):
        with column:
            st.markdown(f"**{title}**")
            st.markdown(text)
