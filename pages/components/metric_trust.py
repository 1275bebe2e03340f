"""How far the figures themselves can be trusted."""

from collections.abc import Mapping

import streamlit as st

from core.services.metric_sections import (
    Figure,
    Folds,
    PredictionSets,
    SourceLeftOut,
    StrangeScore,
    figure_in_words,
)
from core.services.model_metrics import ModelMetrics
from core.services.words import CLASS_NAMES
from core.types import TumourClass


def show_trust(metrics: ModelMetrics) -> None:
    parts = (
        metrics.prediction_sets, metrics.robustness, metrics.strangers, metrics.shortcut,
        metrics.sources, metrics.folds,
    )  # fmt: skip
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
    if metrics.sources:
        _show_sources(metrics.sources)
    for network, folds in metrics.folds.items():
        _show_folds(network, folds)
    if metrics.robustness:
        st.markdown("**Changed pictures**, as other viewers and scanners would have given them")
        rows = metrics.robustness
        st.table(
            {
                "Change": list(rows),
                "Balanced accuracy": [
                    figure_in_words(one.balanced_accuracy) for one in rows.values()
                ],
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
        _show_sets(list(metrics.prediction_sets.values()))


_FIGURES = {
    "balanced_accuracy": "Balanced accuracy",
    "glioma_sensitivity": "Sensitivity to glioma",
    "tumour_sensitivity": "Sensitivity",
    "tumour_specificity": "Specificity",
    "tumour_auc": "Tumour AUC",
    "lgg_lesion_auc": "AUC of lesion slices (LGG)",
    "figshare_dice": "Dice of lesion slices (figshare)",
    "lgg_dice": "Dice by patient (LGG)",
}


def _show_sources(sources: dict[str, SourceLeftOut]) -> None:
    st.markdown(
        "**A source that the training never saw.** Small networks were trained with a public set "
        "and without it, and tested on its own scans. What counts is how much is lost: the scans "
        "of a hospital that is in no public set should be expected to fare like the last column."
    )
    rows = [
        (source, name, one.with_it.get(name), one.without_it.get(name))
        for source, one in sources.items()
        for name in _FIGURES
    ]
    rows = [row for row in rows if row[2] is not None and row[3] is not None]
    st.table(
        {
            "Source": [source for source, *_ in rows],
            "Figure": [_FIGURES[name] for _, name, *_ in rows],
            "Trained with it": [_in_words(name, one.value) for _, name, one, _ in rows],
            "Trained without it": [_in_words(name, one.value) for _, name, _, one in rows],
        },
        border="horizontal",
        hide_index=True,
        alt="Sources left out of the training",
    )


def _show_folds(network: str, folds: Folds) -> None:
    st.markdown(
        f"**Other cuts of the same patients ({network}).** The recipe was trained anew "
        f"{len(folds.folds)} times on a shorter schedule, each time tested on patients that it "
        "never saw. What counts is how far the results lie apart: so much of a figure is luck."
    )
    st.table(
        {
            "Figure": [_FIGURES.get(name, name) for name in folds.summary],
            "Mean": [_in_words(name, one.mean) for name, one in folds.summary.items()],
            "Standard deviation": [_in_words(name, one.sd) for name, one in folds.summary.items()],
        },
        border="horizontal",
        hide_index=True,
        alt=f"Folds of patients, {network}",
    )


def _show_sets(sets: list[PredictionSets]) -> None:
    st.markdown(
        "**Sets of classes that cannot be ruled out**: how often the set holds the true class. "
        "Promised is that share for the scans of a new patient, so the mean over patients has to "
        "reach it. Counted by slice, patients with many slices decide. An empty set rules every "
        "class out."
    )
    columns = {
        "Promised": [_share(one.stated_coverage) for one in sets],
        "Found, mean over patients": [figure_in_words(one.patient_coverage) for one in sets],
        "Lowest class": [_lowest(one.patient_coverage_by_class) for one in sets],
        "Found by slice": [figure_in_words(one.coverage) for one in sets],
        "Lowest class by slice": [_lowest(one.coverage_by_class) for one in sets],
        "Empty sets": [figure_in_words(one.empty_sets) for one in sets],
        "Classes in a set, on average": [f"{one.mean_set_size:.2f}" for one in sets],
    }
    st.table(columns, border="horizontal", hide_index=True, alt="Prediction sets")


def _show_strangers(pictures: dict[str, int], served: StrangeScore) -> None:
    st.markdown(
        "**Pictures that are no readable brain MRI**: share that the model warns of. It also warns "
        f"of {figure_in_words(served.good_scans_rejected)} of good scans. The shares below are "
        "optimistic: the warning was chosen among variants on these same pictures, and was fitted "
        "with pictures akin to some of them."
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


def _lowest(by_class: Mapping[TumourClass, Figure]) -> str:
    known = {name: one for name, one in by_class.items() if one.value is not None}
    if not known:
        return "–"
    name = min(known, key=lambda one: known[one].value)
    return f"{CLASS_NAMES[name]} {figure_in_words(known[name])}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value * 100:.1f} %"


def _in_words(name: str, value: float | None) -> str:
    """A share in percent; an area or an overlap as the number that it is."""
    return _number(value) if name.endswith(("auc", "dice")) else _share(value)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
