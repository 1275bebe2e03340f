"""What was measured on scans that the model had never seen."""

from collections.abc import Mapping, Sequence

import streamlit as st

from core.services.metric_sections import (
    Figure,
    FourClass,
    figure_in_words,
    interval_in_words,
    value_in_words,
)
from core.services.model_card import ModelCard
from core.services.model_metrics import ModelMetrics
from core.services.words import CLASS_NAMES
from core.types import TumourClass
from pages.components.metric_calibration import absent, show_lgg, show_reliability
from pages.components.metric_charts import matrix_chart, roc_chart
from pages.components.metric_trust import show_trust

Row = tuple[str, str, bool, str]

# Name in the file, name on the page, whether a share of 0 to 1 is meant, what it says.
_FOUR_CLASS: tuple[Row, ...] = (
    ("tumour_sensitivity", "Sensitivity for a tumour", True,
     "Tumour scans whose tumour probability reaches the decision threshold."),
    ("tumour_specificity", "Specificity for a tumour", True,
     "Tumour-free scans whose tumour probability stays below it."),
    ("roc_auc_tumour", "AUC for a tumour", False,
     "Chance that a tumour scan gets the higher tumour probability of the two when one with and "
     "one without are drawn; 0.5 is guessing, 1 is perfect."),
    ("balanced_accuracy", "Balanced accuracy", True,
     "Scans given the right class, averaged over the four classes; guessing gives 25 %."),
    ("accuracy", "Accuracy", True, "Scans given the right class."),
    ("mirror_agreement", "Agreement with the mirror image", True,
     "Scans given the same class as their mirror image."),
    ("out_of_distribution_rejected", "Called unlike the training", True,
     "Good scans that the model warns of; fewer is better."),
)  # fmt: skip
_MASKS: dict[str, tuple[str, tuple[Row, ...]]] = {
    "figshare": ("Enhancing tumour on T1 with contrast (figshare)", (
        ("dice", "Dice", False, "Overlap of mask and radiologist’s outline, 0 to 1; a missed "
         "tumour counts as 0."),
        ("dice_glioma", "Dice, glioma", False, "The same for gliomas."),
        ("dice_meningioma", "Dice, meningioma", False, "The same for meningiomas."),
        ("dice_pituitary", "Dice, pituitary tumour", False, "The same for pituitary tumours."),
        ("missed_share", "Missed", True, "Tumour slices where the mask touches no tumour pixel."),
        ("mirror_dice", "Overlap with the mirror image", False,
         "Dice of a slice’s mask and its mirror image’s mask, mirrored back."),
    )),
    "lgg_composites": ("Signal abnormality of low-grade glioma (LGG, three sequences)", (
        ("pooled_dice", "Dice by patient", False, "All slices of a patient together, 0 to 1."),
        ("slice_dice", "Dice by slice", False, "Lesion slices alone; a missed one counts as 0."),
        ("slice_missed_share", "Missed", True, "Lesion slices where the mask touches no lesion."),
        ("lesion_free_masked_share", "Masked without lesion", True,
         "Lesion-free slices with a mask; fewer is better."),
    )),
    "tumour_free": ("Tumour-free scans", (
        ("masked_share", "Masked without tumour", True,
         "Tumour-free scans with a mask; fewer is better."),
    )),
}  # fmt: skip


def show_metrics(card: ModelCard) -> None:
    metrics = card.metrics
    if metrics is None:
        st.warning(f"**There are no figures to show.** {card.metrics_problem}")
        return
    st.caption(
        f"Version {metrics.model_version}, split “{metrics.split}”, measured on "
        f"{metrics.created.partition('T')[0]}. Each distinct scan counts once. Intervals are 95 % "
        "bootstrap intervals over patients (groups of copies where no patient is known): where 100 "
        "sets like this one were measured, some 95 of their intervals would hold the true figure. "
        "Shares of scans of exactly 0 or 100 % have the exact interval (Clopper and Pearson), with "
        "a patient as one trial."
    )
    st.caption(
        "What is served was fitted and chosen on other scans. But three of the rules for that were "
        "set after figures of earlier weights on these test scans had been seen: the decision "
        "threshold is 50 % at most, and for the temperature and the sets of classes each patient "
        "weighs the same."
    )
    if metrics.four_class:
        _show_four_class(metrics.four_class, metrics, card.mirrored)
    else:
        absent("figures of the four classes")
    st.subheader("Masks", anchor=False)
    for key, (title, rows) in _MASKS.items():
        if key in metrics.masks:
            st.markdown(f"**{title}**")
            _table(metrics.masks[key], rows, f"Masks: {title}")
    show_lgg(metrics.lgg)
    show_trust(metrics)


def _show_four_class(measured: FourClass, metrics: ModelMetrics, mirrored: bool) -> None:
    st.subheader("Which of the four classes", anchor=False)
    _table(measured.figures, _FOUR_CLASS, "Key figures of the four classes")
    if mirrored and "mirror_agreement" in measured.figures:
        st.caption(
            "The agreement with the mirror image is high by construction: the model averages each "
            "picture with its mirror image."
        )
    confusion, roc = st.columns(2, gap="large")
    with confusion:
        st.markdown("**Confusion matrix**")
        _show_confusion(measured)
    with roc:
        st.markdown("**ROC curves**")
        _show_roc(measured)
    st.markdown("**Each class against the rest**")
    _show_classes(measured)
    st.markdown("**Can probabilities be taken at their word?**")
    show_reliability(measured.calibration, metrics.decision_threshold)


def _show_confusion(measured: FourClass) -> None:
    if measured.confusion is None:
        absent("confusion matrix")
        return
    names = measured.confusion.classes
    counts = {
        (true, said): count
        for true, line in zip(names, measured.confusion.counts, strict=False)
        for said, count in zip(names, line, strict=False)
    }
    st.plotly_chart(
        matrix_chart(counts, rows="True class", columns="The model’s class"),
        config={"displayModeBar": False},
        alt="Confusion matrix. " + _confusion_in_words(counts),
    )
    st.caption("Number of scans, and share of the scans of that true class. The diagonal is right.")


def _confusion_in_words(counts: Mapping[tuple[TumourClass, TumourClass], int]) -> str:
    said = []
    for true, name in CLASS_NAMES.items():
        line = [
            f"{count} {CLASS_NAMES[found].lower()}"
            for (row, found), count in counts.items()
            if row is true
        ]
        said.append(f"True {name.lower()}: called {', '.join(line)}.")
    return " ".join(said)


def _show_roc(measured: FourClass) -> None:
    curves = {name: one for name, one in measured.roc_curves.items() if one.true_positive_rate}
    if not curves:
        absent("ROC curves")
        return
    figures = measured.figures
    aucs = {
        name: f", AUC {value_in_words(figures[f'roc_auc_{name}'], share=False)}"
        for name in curves
        if f"roc_auc_{name}" in figures
    }
    found, free = (figures.get(f"tumour_{name}") for name in ("sensitivity", "specificity"))
    threshold = None
    if found and free and found.value is not None and free.value is not None:
        threshold = 1 - free.value, found.value
    st.plotly_chart(
        roc_chart(curves, aucs, threshold),
        config={"displayModeBar": False},
        alt="ROC curves of "
        + "; ".join(
            f"{CLASS_NAMES.get(name, 'any of the three').lower()}{auc}"
            for name, auc in aucs.items()
        ),
    )
    st.caption(
        "A threshold that finds more also calls more others so. Nearer to the upper left is better."
    )


def _show_classes(measured: FourClass) -> None:
    columns = {
        "Class": [CLASS_NAMES[name] for name in measured.per_class],
        "Scans": [row.support for row in measured.per_class.values()],
    }
    for title, key in (
        ("Recall (of its scans, found)", "recall"),
        ("Precision (of those called so, right)", "precision"),
        ("Specificity (of the others, not called so)", "specificity"),
        ("F1 (recall and precision together)", "f1"),
    ):
        columns[title] = [figure_in_words(getattr(row, key)) for row in measured.per_class.values()]
    st.table(columns, border="horizontal", hide_index=True, alt="Figures of each class")
    if all(row.recall.low is None for row in measured.per_class.values()):
        absent("intervals of these")


def _table(figures: Mapping[str, Figure], rows: Sequence[Row], alt: str) -> None:
    shown = [row for row in rows if row[0] in figures]
    st.table(
        {
            "Figure": [f"**{name}**" for _, name, _, _ in shown],
            "Value": [value_in_words(figures[key], share=share) for key, _, share, _ in shown],
            "95 % interval": [
                interval_in_words(figures[key], share=share) for key, _, share, _ in shown
            ],
            "What it says": [meaning for _, _, _, meaning in shown],
        },
        border="horizontal",
        hide_index=True,
        alt=alt,
    )
