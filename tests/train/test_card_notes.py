"""Sentences of the model card beside its tables."""

import pytest

pytest.importorskip("sklearn")

from train import card_notes


def one_line(text):
    return " ".join(text.split())


def measured(error, brier, log_loss):
    return {
        "expected_calibration_error": {"value": error, "low": 0.0, "high": 1.0},
        "brier": brier,
        "log_loss": log_loss,
    }


def test_the_card_says_whether_the_temperature_made_test_better():
    text = one_line(
        card_notes.temperature(
            {
                "before": measured(0.035, 0.2, 0.4001),
                "after": measured(0.041, 0.19, 0.4002),
                "of_a_perfect_model": {"mean": 0.021, "percentile_95": 0.031},
            }
        )
    )
    for said in (
        "calibration error worse (0.035 without it, 0.041 with it)",
        "Brier score better (0.200 without it, 0.190 with it)",
        "log loss unchanged (0.400 without it, 0.400 with it)",
        "error of 0.021 on the average, by chance alone, and of up to 0.031 in 95 of 100 sets",
    ):
        assert said in text


def of_bin(low, count, said, found):
    return {
        "low": low,
        "high": round(low + 1 / 15, 6),
        "count": count,
        "confidence": said,
        "accuracy": found,
    }


def test_the_card_says_how_far_said_and_found_lie_apart_on_composites():
    bins = [of_bin(0.2, 50, 0.22, 0.9), of_bin(0.6, 10, 0.62, 0.72), of_bin(14 / 15, 30, 0.98, 0.9)]
    text = one_line(card_notes.composites({"reliability": bins}))
    assert "over 0.5 the mean probability is 89% and 86% of 40 slices have a lesion;" in text
    assert "under 0.67 the mean probability is 62% and 72% of 10 slices have a lesion." in text
    assert "No composite" in card_notes.composites({"reliability": bins[:1]})


def test_the_card_says_how_masks_fare_by_size_and_how_well_the_specificity_is_known():
    quarter = {
        "smallest_area": 12,
        "largest_area": 300,
        "patients": 9,
        "dice": {"value": 0.4, "low": 0.3, "high": 0.5},
        "missed_share": {"value": 0.25},
    }
    figshare = {"missed_share": {"value": 0.1}, "by_size": [quarter]}  # fmt: skip
    text = one_line(card_notes.sizes(figshare))
    assert text.startswith("- 10% of figshare's lesion slices get no mask")
    assert "12 to 300 px: 0.400 (0.300 to 0.500), 25% without overlap, 9 patients." in text
    four = {"tumour_specificity": {"value": 1.0, "low": 0.907487, "high": 1.0}}
    assert "rests on 38 distinct test scans: its specificity is known to within 10 points" in (
        one_line(card_notes.specificity(four, 38))
    )
