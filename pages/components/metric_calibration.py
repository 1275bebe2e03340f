"""How far probabilities can be taken at their word, and how slices of LGG are told."""

from collections.abc import Mapping

import streamlit as st

from core.services.metric_sections import Calibration, Figure, figure_in_words
from core.services.words import percent
from pages.components.metric_charts import reliability_chart

_LGG_NAMES = {
    "composite": "all three as a composite",
    "pre_contrast": "T1 before contrast, alone",
    "flair": "FLAIR, alone",
    "post_contrast": "T1 with contrast, alone",
}


def show_reliability(calibration: Calibration | None, decision_threshold: float) -> None:
    if calibration is None:
        absent("calibration")
        return
    before, after = calibration.before, calibration.after
    chart, words = st.columns([3, 2], gap="large")
    with chart:
        if calibration.reliability:
            st.plotly_chart(
                reliability_chart(calibration.reliability),
                config={"displayModeBar": False},
                alt="Reliability. "
                + "; ".join(
                    f"stated {one.confidence:.0%}, right {one.accuracy:.0%} of {one.count} scans"
                    for one in calibration.reliability
                ),
            )
        else:
            absent("reliability bins")
    with words:
        st.markdown(
            "Of scans to which the model gives its class 80 %, some 80 % should be right: then the "
            "points lie on the line. Above the line it is right more often than it says, below it "
            "less often. Points of few scans scatter."
        )
        st.table(
            {
                "": [
                    "Calibration error (mean gap, 0 to 100 %)",
                    "Brier score (0 is perfect, 2 the worst)",
                    "Log loss (nats, 0 is perfect)",
                ],
                "Before the temperature": [
                    figure_in_words(before.expected_calibration_error),
                    f"{before.brier:.3f}",
                    f"{before.log_loss:.3f}",
                ],
                "After, as served": [
                    figure_in_words(after.expected_calibration_error),
                    f"{after.brier:.3f}",
                    f"{after.log_loss:.3f}",
                ],
            },
            border="horizontal",
            hide_index=True,
            alt="Calibration before and after the temperature",
        )
        chance = calibration.of_a_perfect_model
        if chance:
            st.caption(
                "By chance alone a model that is exactly as right as it is sure would show a "
                f"calibration error of {chance.mean * 100:.1f} % on the average, and of up to "
                f"{chance.percentile_95 * 100:.1f} % in 95 of 100 sets of so many scans. The "
                "error’s intervals lie too high: resampling adds noise, and noise counts as error."
            )
        st.caption(f"Decision threshold: {percent(decision_threshold)}.")


def show_lgg(lgg: Mapping[str, Mapping[str, Figure]]) -> None:
    rows = {name: lgg[name] for name in _LGG_NAMES if name in lgg}
    if not rows:
        return
    st.subheader("Slices of low-grade glioma, lesion or not", anchor=False)
    st.caption(
        "Of the same patients, by the sequences the model was shown: another test of the tumour "
        "probability, on other scanners and without the help of the kind of sequence. "
        "The calibration error is how far said and found lie apart: the probabilities were "
        "calibrated on the four-class scans, not on these."
    )
    columns = {"Shown": [_LGG_NAMES[name] for name in rows]}
    for title, key, share in (
        ("AUC", "roc_auc", False),
        ("Sensitivity", "sensitivity", True),
        ("Specificity", "specificity", True),
        ("Calibration error", "tumour_calibration_error", True),
    ):
        columns[title] = [figure_in_words(one.get(key), share=share) for one in rows.values()]
    st.table(columns, border="horizontal", hide_index=True, alt="Figures on LGG slices")


def absent(what: str) -> None:
    """Say that the file does not have something."""
    st.info(f"The metrics file holds no {what}. `python -m train evaluate` writes them.")
