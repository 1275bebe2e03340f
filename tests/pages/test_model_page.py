"""The model page: what is known of the model, and what there is to see when little is."""

import json
import shutil
from functools import partial

import pytest
import streamlit as st

from core import config
from core.services.model_metrics import read_metrics
from core.services.review import DecisionInput, decide, look_again
from core.services.scoring import score_waiting
from core.services.submit import Upload, batch_items, submit
from core.types import CLASSES, StudyDetails, TumourClass
from pages.components.metric_charts import bars_chart, matrix_chart
from tests.fakes import FakeEngine, scan_png
from tests.pages.harness import ROOT, new_app, shown, text_of

said = partial(text_of, kinds=("markdown", "caption", "info", "warning", "error", "subheader"))


@pytest.fixture
def weights(tmp_path, monkeypatch, own_installation):
    """A copy of what describes the weights, which the page reads."""
    folder = tmp_path / "described"
    folder.mkdir()
    for name in ("manifest.json", "metrics.json", "MODEL_CARD.md"):
        shutil.copy(ROOT / "weights" / name, folder)
    monkeypatch.setenv("NEUROTRIAGE_WEIGHTS", str(folder))
    config.settings.cache_clear()
    st.cache_resource.clear()
    return folder


@pytest.fixture
def page(own_installation, ada):
    def opened():
        return shown(new_app(ada, ROOT / "pages" / "model_card.py").run())

    return opened


def charts(app):
    """What each chart says to those who do not see it."""
    return [element.proto.alt for element in app.get("plotly_chart")]


def tables(app):
    return " ".join(str(element.value.to_dict()) for element in app.table)


def test_what_the_model_is_and_is_not(page, weights):
    app = page()
    manifest = json.loads((weights / "manifest.json").read_text())
    assert manifest["model_version"] in said(app).replace("\\", "")
    assert "does not mean a scan without disease" in said(app)
    assert "figshare" in said(app) and "LGG" in said(app)
    assert "Known limits" in said(app)
    assert "Children, operated brains" in said(app)


def test_figures_have_intervals_and_meanings(page, weights):
    figure = read_metrics(weights).four_class.figures["tumour_sensitivity"]
    shown = tables(page()).replace("\\xa0", " ").replace("\xa0", " ")
    assert f"{figure.value * 100:.1f} %" in shown
    assert f"{figure.low * 100:.1f} to {figure.high * 100:.1f} %" in shown
    assert "reaches the decision threshold" in shown
    assert "Dice" in shown


def test_charts_are_told_to_those_who_do_not_see_them(page, weights):
    confusion, roc, reliability = charts(page())
    counts = read_metrics(weights).four_class.confusion.counts
    assert f"True glioma: called {counts[0][0]} glioma" in confusion
    assert "AUC" in roc and "pituitary tumour" in roc
    assert "right" in reliability


def test_a_file_without_curves_says_what_is_missing(page, weights):
    path = weights / "metrics.json"
    metrics = json.loads(path.read_text())
    for key in ("roc_curves", "confusion_matrix", "per_class_intervals"):
        metrics["four_class"].pop(key, None)
    metrics["four_class"]["calibration"].pop("reliability")
    path.write_text(json.dumps(metrics))
    text = said(page())
    for absent in ("ROC curves", "confusion matrix", "reliability bins", "intervals of these"):
        assert f"The metrics file holds no {absent}." in text


def trust_of(weights, **changes):
    path = weights / "metrics.json"
    metrics = json.loads(path.read_text())
    metrics["trust"] |= changes
    path.write_text(json.dumps(metrics))


def test_what_is_lost_without_a_source_and_over_other_cuts_is_shown(page, weights):
    figures = {"tumour_auc": {"value": 0.787, "low": 0.7, "high": 0.8}, "tumour_specificity": None}
    lost = {"tumour_auc": {"value": 0.477, "low": 0.3, "high": 0.6}, "tumour_specificity": None}
    folds = {
        "folds": [{"fold": 1}, {"fold": 2}],
        "summary": {
            "lgg_dice": {"mean": 0.7, "sd": 0.1},
            "tumour_sensitivity": {"mean": 0.98, "sd": None},
        },
    }
    trust_of(
        weights,
        leave_one_source_out={"sources": {
            "lgg": {"scans": {"glioma": 2}, "with": figures, "without": lost},
        }},
        folds={"segmenter": folds, "classifier": {"not_shown": "on other lists"}},
    )  # fmt: skip
    app = page()
    left_out = next(one.value for one in app.table if "Trained without it" in one.value)
    assert left_out.to_numpy().tolist() == [["lgg", "Tumour AUC", "0.787", "0.477"]]
    spread = next(one.value for one in app.table if "Standard deviation" in one.value)
    assert spread.to_numpy().tolist() == [
        ["Dice by patient (LGG)", "0.700", "0.100"], ["Sensitivity", "98.0 %", "–"],
    ]  # fmt: skip
    assert "(segmenter).** The recipe was trained anew 2 times" in said(app)
    assert "Other cuts of the same patients (classifier)" not in said(app)

    trust_of(weights, leave_one_source_out={"not_shown": "on other lists"}, folds={})
    assert "never saw" not in said(page())


def test_the_page_says_what_the_figures_are_not(page, weights):
    unknown = json.loads((weights / "metrics.json").read_text())["counts"][
        "four_class_scans_of_no_known_patient"
    ]
    text = said(page())
    for warning in (
        "have the exact interval (Clopper and Pearson)",
        "three of the rules for that were set after figures of earlier weights on these test scans",
        "high by construction: the model averages",
        "The shares below are optimistic",
        f"of {unknown} of the distinct scans nobody knows whose they are",
        "How temperature and threshold were set, where “val” is scans kept aside",
    ):
        assert warning in text.replace("\\", ""), warning
    path = weights / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["classifier"]["mirrored"] = False
    path.write_text(json.dumps(manifest))
    assert "high by construction" not in said(page())


def interval(value):
    return {"value": value, "low": value - 0.05, "high": value + 0.05}


def test_what_is_promised_of_patients_is_shown_beside_slices_and_what_chance_leaves(page, weights):
    path = weights / "metrics.json"
    metrics = json.loads(path.read_text())
    metrics["trust"]["prediction_sets"] = {
        "80%": {
            "stated_coverage": 0.8, "coverage": interval(0.86), "mean_set_size": 1.0,
            "coverage_by_class": {"glioma": interval(0.9), "meningioma": interval(0.7)},
            "patient_coverage": interval(0.82), "empty_sets": interval(0.06),
            "patient_coverage_by_class": {"glioma": interval(0.75), "meningioma": interval(0.8)},
        }
    }  # fmt: skip
    clean = metrics["trust"]["robustness"]["unchanged"]
    clean["balanced_accuracy"] = interval(0.91)
    metrics["lgg"]["composite"]["tumour_calibration_error"] = interval(0.063)
    calibration = metrics["four_class"]["calibration"]
    calibration["after"]["expected_calibration_error"] = interval(0.06)
    calibration["of_a_perfect_model"] = {"mean": 0.021, "percentile_95": 0.034}
    path.write_text(json.dumps(metrics))
    app = page()
    shown = tables(app).replace("\\xa0", " ").replace("\xa0", " ")
    for one in (
        "82.0 % (77.0 to 87.0 %)", "Glioma 75.0 % (70.0 to 80.0 %)", "86.0 % (81.0 to 91.0 %)",
        "Meningioma 70.0 % (65.0 to 75.0 %)", "6.0 % (1.0 to 11.0 %)", "91.0 % (86.0 to 96.0 %)",
        "6.3 % (1.3 to 11.3 %)",
    ):  # fmt: skip
        assert one in shown, one
    assert "calibration error of 2.1 % on the average, and of up to 3.4 %" in said(app)


def test_without_metrics_the_rest_is_still_there(page, weights):
    (weights / "metrics.json").unlink()
    text = said(page())
    assert "There are no figures to show." in text
    assert "Known limits" in text
    assert "Volume per day" in text


def test_without_weights_the_live_figures_are_still_there(page, weights):
    (weights / "manifest.json").unlink()
    text = said(page())
    assert "description cannot be read" in text
    assert "Volume per day" in text


def test_a_new_installation_is_no_error(page, weights):
    text = said(page())
    assert "Nothing happened in this period." in text
    assert "No reader has decided on an analysed case in this period." in text
    assert "No image was analysed in this period." in text


def test_live_figures_of_what_was_read(page, weights, own_installation, ada):
    uploads = [Upload(f"{i}.png", scan_png(60 + i, 50)) for i in range(3)]
    batch = submit(own_installation, ada, uploads, StudyDetails())
    score_waiting(own_installation, FakeEngine())
    for item in batch_items(own_installation, ada, batch.batch_id)[:2]:
        version = look_again(own_installation, ada, item.case_id).summary.version
        given = DecisionInput(TumourClass.MENINGIOMA)
        decide(own_installation, ada, item.case_id, version, given)
    app = page()
    alts = " ".join(charts(app))
    assert "3 scans received, 3 images analysed, 2 decisions of readers" in alts
    assert "Model glioma, reader meningioma: 2." in alts
    assert "3 with 90 % and more" in alts
    assert "Model version: fake\\-1" in said(app)
    # Wilson's interval of none in two.
    assert "0 to 66 %" in tables(app)


def test_the_period_can_be_changed(page, weights):
    app = page()
    app.segmented_control[0].set_value(7).run()
    assert not app.exception
    first, last = next(c.value for c in app.caption if "days of UTC" in c.value).split(" to ")
    assert first != last


def test_the_training_set_is_offered(page, weights):
    app = page()
    assert [button.label for button in app.get("download_button")] == ["Export as ZIP"]


def test_an_unusual_version_is_shown_as_it_is(page, weights):
    for name in ("manifest.json", "metrics.json"):
        path = weights / name
        content = json.loads(path.read_text())
        content["model_version"] = "*1* <b>"
        path.write_text(json.dumps(content))
    text = said(page())
    assert r"\*1\* \<b\>" in text


def rgb(colour):
    return [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]


def luminance(parts):
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("percent", [0, 10, 30, 50, 70, 79, 81, 90, 100])
def test_numbers_of_a_matrix_can_be_read_on_their_cell(percent):
    one, other = CLASSES[:2]
    figure = matrix_chart({(one, one): percent, (one, other): 100 - percent}, "rows", "columns")
    pale, full = (rgb(colour) for _, colour in figure.data[0].colorscale)
    share = percent / 100
    cell = [p * (1 - share) + f * share for p, f in zip(pale, full, strict=True)]
    ink = next(a for a in figure.layout.annotations if (a.x, a.y) == (0, 0)).font.color
    dark, light = sorted((luminance(cell), luminance(rgb(ink))))
    # Large or bold text needs 3 to 1.
    assert (light + 0.05) / (dark + 0.05) >= 3.5


def test_a_matrix_counts_by_row():
    glioma, meningioma = CLASSES[:2]
    figure = matrix_chart({(glioma, glioma): 3, (glioma, meningioma): 1}, "rows", "columns")
    texts = {(a.x, a.y): a.text for a in figure.layout.annotations}
    assert texts[0, 0] == "<b>3</b><br>75%"
    assert texts[1, 0] == "<b>1</b><br>25%"
    # Nothing was counted in the other rows: no share of nothing.
    assert texts[0, 1] == "–"


def test_bars_differ_in_more_than_colour():
    figure = bars_chart([1], {"a": [1], "b": [2], "c": [3]}, "number", stacked=True)
    assert len({bar.marker.pattern.shape for bar in figure.data}) == 3
