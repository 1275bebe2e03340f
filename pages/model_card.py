"""The model: what it is, what it is worth on test scans, and how it fares here."""

import streamlit as st

from core.errors import WeightsError
from core.services.model_card import live_figures, model_card
from pages.components.installation import shared_installation
from pages.components.metric_live import show_live_figures, show_training_export
from pages.components.metric_model import show_limits, show_model
from pages.components.metric_tests import show_metrics
from pages.components.reader import signed_in_reader

st.title("The model")
installation, reader = shared_installation(), signed_in_reader()

about, tested, live = st.tabs(["What it is", "On test scans", "In this installation"])
try:
    card = model_card(installation)
except WeightsError as error:
    about.error(f"**The model’s description cannot be read.**\n\n{error}")
    tested.error("**Without the model’s description no figures can be shown.**")
else:
    with about:
        show_model(card)
        show_limits(card.limits)
    with tested:
        show_metrics(card)

with live:
    days = st.segmented_control(
        "Period",
        [7, 30, 90],
        default=30,
        format_func=lambda number: f"Last {number} days",
        required=True,
    )
    show_live_figures(live_figures(installation, days))
    show_training_export(installation, reader)
