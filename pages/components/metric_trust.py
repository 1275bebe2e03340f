"""How far the figures themselves can be trusted."""

import streamlit as st

from core.services.model_metrics import ModelMetrics, StrangeScore


def show_trust(metrics: ModelMetrics) -> None:
    parts = (metrics.prediction_sets, metrics.robustness, metrics.strangers, metrics.shortcut)
    if not any(parts):
        return
    st.subheader("How far these figures can be trusted", anchor=False)
    if metrics.shortcut:
        st.markdown(
            "**Brightness gives much away.** In the public sets tumour scans are nearly all T1 "
            "with contrast, tumour-free ones mostly not. A guess from brightness and contrast "
            "alone, which hold the kind of sequence and more, reaches a balanced accuracy of "
            f"{_share(metrics.shortcut.balanced_accuracy.value)} (guessing: 25 %) and a tumour AUC "
            f"of {_number(metrics.shortcut.tumour_auc.value)} (guessing: 0.5)."
        )
    if metrics.robustness:
        st.markdown("**Changed pictures**, as other viewers and scanners would have given them")
        rows = metrics.robustness
        st.table(
            {
                "Change": list(rows),
                "Balanced accuracy": [_share(one.balanced_accuracy) for one in rows.values()],
                "Same class as unchanged": [_share(one.agreement) for one in rows.values()],
                "Sensitivity": [_share(one.tumour_sensitivity) for one in rows.values()],
                "Specificity": [_share(one.tumour_specificity) for one in rows.values()],
                "Called unlike the training": [_share(one.rejected) for one in rows.values()],
            },
            border="horizontal",
            hide_index=True,
            alt="Figures on changed pictures",
        )
    if metrics.strangers and "served" in metrics.strangers.scores:
        _show_strangers(metrics.strangers.pictures, metrics.strangers.scores["served"])
    if metrics.prediction_sets:
        st.markdown(
            "**Sets of classes that cannot be ruled out**: how often the set holds the true class"
        )
        sets = metrics.prediction_sets.values()
        st.table(
            {
                "Promised": [_share(one.stated_coverage) for one in sets],
                "Found": [_share(one.coverage) for one in sets],
                "Lowest class": [
                    _share(min(_known(one.coverage_by_class.values()), default=None))
                    for one in sets
                ],
                "Classes in a set, on average": [f"{one.mean_set_size:.2f}" for one in sets],
            },
            border="horizontal",
            hide_index=True,
            alt="Prediction sets",
        )


def _show_strangers(pictures: dict[str, int], served: StrangeScore) -> None:
    st.markdown(
        "**Pictures that are no readable brain MRI**: share that the model warns of. It also warns "
        f"of {_share(served.good_scans_rejected)} of good scans."
    )
    kinds = {kind: share for kind, share in served.rejected.items() if kind in pictures}
    st.table(
        {
            "Picture": list(kinds),
            "Number": [pictures[kind] for kind in kinds],
            "Warned of": [_share(share) for share in kinds.values()],
        },
        border="horizontal",
        hide_index=True,
        alt="Pictures that are no brain MRI",
    )


def _known(shares: object) -> list[float]:
    return [share for share in shares if share is not None]


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value * 100:.1f} %"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
