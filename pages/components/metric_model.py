"""What the model is, in plain words."""

import streamlit as st

from core.services.model_card import ModelCard
from core.services.words import CLASS_NAMES, percent
from pages.components.text import escaped


def show_model(card: ModelCard) -> None:
    st.markdown(
        "The model orders scans by urgency and explains why. It looks for **three tumours**: "
        "glioma, meningioma and pituitary tumour. “None of the three suspected” does not mean a "
        "scan without disease."
    )
    facts = {
        "Version": f"{card.version}, made on {card.created.partition('T')[0]}",
        "Networks": card.architecture,
        "Suspicion": (
            f"a tumour is suspected from a tumour probability of "
            f"{percent(card.decision_threshold)}. How temperature and threshold were set, where "
            f"“val” is scans kept aside for choosing: {card.fitted_on}"
        ),
        "Probabilities": (
            f"calibrated: the classifier’s outputs are divided by the temperature "
            f"{card.temperature:.2f}"
        ),
        "Measured on": _measured_on(card),
        "Licence of the weights": card.licence,
    }
    st.markdown("\n".join(f"- **{name}:** {escaped(text)}" for name, text in facts.items()))
    st.subheader("Training data", anchor=False)
    if card.data_in_words:
        st.markdown("\n".join(f"- {escaped(words)}" for words in card.data_in_words))
    else:
        st.markdown(escaped(card.data))
    st.caption(f"How training and test scans were kept apart: {escaped(card.split)}.")
    with st.expander("How the weights were made", icon=":material/terminal:"):
        st.code("\n".join(card.commands), language="bash", wrap_lines=True)


def show_limits(limits: tuple[str, ...]) -> None:
    st.subheader("Known limits", anchor=False)
    if not limits:
        st.info("Nobody has written down the limits of this version (weights/MODEL_CARD.md).")
        return
    st.markdown("\n".join(f"- {escaped(limit)}" for limit in limits))


def _measured_on(card: ModelCard) -> str:
    counts = card.metrics.counts if card.metrics else None
    if counts is None:
        return "not measured"
    scans = counts.four_class_distinct_scans
    by_class = ", ".join(f"{count} {CLASS_NAMES[name].lower()}" for name, count in scans.items())
    return (
        f"{sum(scans.values())} distinct scans ({by_class}), and {counts.lgg_slices} slices of "
        f"{counts.lgg_patients} patients with low-grade glioma. No copy of a scan was seen in "
        "training, nor another slice of the same patient where the patient is known"
        f"{_unknown(counts.four_class_scans_of_no_known_patient)}"
    )


def _unknown(scans: int | None) -> str:
    if scans is None:
        return "; of how many scans nobody knows the patient, the metrics file does not say"
    return (
        f"; of {scans} of the distinct scans nobody knows whose they are, and a neighbouring slice "
        "may have been seen"
    )
