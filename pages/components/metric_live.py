"""How the model fares in this installation."""

import io

import streamlit as st

from core.services.installation import Installation
from core.services.model_card import LiveFigures
from core.services.report import training_export
from core.services.words import CLASS_NAMES
from core.types import Reader
from pages.components.metric_charts import bars_chart, matrix_chart
from pages.components.text import escaped

# Upper ends of the groups of tumour probabilities, in tenths.
_GROUPS = {
    "under 10 %": (0, 1),
    "10 to 50 %": (1, 5),
    "50 to 90 %": (5, 9),
    "90 % and more": (9, 10),
}


def show_live_figures(live: LiveFigures) -> None:
    st.caption(
        f"{live.since:%d %B %Y} to {live.until:%d %B %Y}; days of UTC. "
        "Simulated samples are left out."
    )
    _show_volume(live)
    _show_agreement(live)
    _show_scores(live)


def _show_volume(live: LiveFigures) -> None:
    st.subheader("Volume per day", anchor=False)
    days = [one.day for one in live.volume]
    series = {
        "scans received": [one.received for one in live.volume],
        "images analysed": [one.scored for one in live.volume],
        "decisions of readers": [one.decided for one in live.volume],
    }
    totals = {name: sum(values) for name, values in series.items()}
    if not any(totals.values()):
        st.info("Nothing happened in this period. Scans that are uploaded are counted here.")
        return
    said = ", ".join(f"{total} {name}" for name, total in totals.items())
    st.plotly_chart(
        bars_chart(days, series, "Number", stacked=False),
        key="volume",
        config={"displayModeBar": False},
        alt=f"Volume per day; in all {said}.",
    )
    st.caption(f"In all {said}. An image that was known already is received but not analysed.")


def _show_agreement(live: LiveFigures) -> None:
    st.subheader("Do readers agree with the model?", anchor=False)
    if not live.agreement:
        st.info("No reader has decided on an analysed case in this period.")
        return
    chart, table = st.columns(2, gap="large")
    with chart:
        st.plotly_chart(
            matrix_chart(live.readings, rows="The model’s class", columns="The reader’s class"),
            key="agreement",
            config={"displayModeBar": False},
            alt="Readings by the model’s class and the reader’s. "
            + " ".join(
                f"Model {CLASS_NAMES[model].lower()}, reader {CLASS_NAMES[said].lower()}: {count}."
                for (model, said), count in live.readings.items()
            ),
        )
        st.caption("Number of readings, and share of those where the model gave that class.")
    with table:
        st.table(
            {
                "The model said": [CLASS_NAMES[one.model_finding] for one in live.agreement],
                "Readings": [one.readings for one in live.agreement],
                "Readers agreed": [
                    f"{one.agreed / one.readings * 100:.0f} %" for one in live.agreement
                ],
                "95 % interval": [
                    f"{one.low * 100:.0f} to {one.high * 100:.0f} %" for one in live.agreement
                ],
            },
            border="horizontal",
            hide_index=True,
            alt="Agreement by the class the model gave",
        )
        versions = ", ".join(escaped(version) for version in live.model_versions)
        st.caption(
            "Readers saw what the model said before they decided, so they may agree more often "
            f"than they would have by themselves. Model version: {versions}."
        )


def _show_scores(live: LiveFigures) -> None:
    st.subheader("Tumour probabilities over time", anchor=False)
    series = {
        name: [sum(one.bins[first:end]) for one in live.scores]
        for name, (first, end) in _GROUPS.items()
    }
    if not any(map(sum, series.values())):
        st.info("No image was analysed in this period.")
        return
    said = ", ".join(f"{sum(values)} with {name}" for name, values in series.items())
    st.plotly_chart(
        bars_chart([one.day for one in live.scores], series, "Images analysed", stacked=True),
        key="scores",
        config={"displayModeBar": False},
        alt=f"Images analysed per day by tumour probability; in all {said}.",
    )
    unlike = sum(one.unlike_training for one in live.scores)
    st.caption(
        f"Images analysed, by tumour probability; in all {said}. {unlike} of them were unlike the "
        "training. A sudden change of the mix may mean other patients, or another scanner on which "
        "the model cannot be relied."
    )


def show_training_export(installation: Installation, reader: Reader) -> None:
    st.subheader("Training set", anchor=False)
    st.write(
        "Reported cases as pictures sorted by the readers’ class, with a list that `train/` reads. "
        "Patient references, names and notes are not in it, nor are simulated samples."
    )
    choice = st.radio(
        "Which cases",
        ["Those where readers differ from the model", "All reported cases"],
        horizontal=True,
    )

    def archive() -> bytes:
        out = io.BytesIO()
        training_export(installation, reader, out, all_reported=choice == "All reported cases")
        return out.getvalue()

    st.download_button(
        "Export as ZIP",
        archive,
        file_name="training-set.zip",
        mime="application/zip",
        icon=":material/download:",
        on_click="ignore",
    )
