"""What the model page says of the weights and their figures."""

import json
import shutil

import pytest

from core.config import PROJECT_ROOT
from core.errors import WeightsError
from core.services.metric_sections import Figure, interval_in_words, value_in_words
from core.services.model_card import model_card
from core.services.model_metrics import read_metrics
from core.types import CLASSES, TumourClass
from tests.installations import make_installation

WEIGHTS = PROJECT_ROOT / "weights"


@pytest.fixture
def weights(tmp_path):
    """A copy of what describes the weights, without the weights."""
    folder = tmp_path / "weights"
    folder.mkdir()
    for name in ("manifest.json", "metrics.json", "MODEL_CARD.md"):
        shutil.copy(WEIGHTS / name, folder)
    return folder


@pytest.fixture
def described(tmp_path, weights):
    found = make_installation(tmp_path, weights=weights)
    yield found
    found.database.close()


def changed(folder, change):
    path = folder / "metrics.json"
    metrics = json.loads(path.read_text())
    change(metrics)
    path.write_text(json.dumps(metrics))


def test_the_card_of_the_weights_that_are_served(described):
    card = model_card(described)
    manifest = json.loads((WEIGHTS / "manifest.json").read_text())
    assert card.version == manifest["model_version"]
    assert card.decision_threshold == manifest["calibration"]["decision_threshold"]
    assert card.metrics is not None and card.metrics_problem is None
    assert card.metrics.model_version == card.version


def test_limits_come_whole_from_the_written_card(described):
    limits = model_card(described).limits
    written = (WEIGHTS / "MODEL_CARD.md").read_text()
    section = written.split("## Limits")[1].split("## ")[0]
    assert len(limits) == section.count("\n- ") > 3
    assert " ".join(limits) == " ".join(section.replace("\n- ", "\n").replace("`", "").split())


def test_limits_of_other_weights_are_not_told(described, weights):
    card = weights / "MODEL_CARD.md"
    version = model_card(described).version
    card.write_text(card.read_text().replace(version, "older"))
    assert model_card(described).limits == ()
    card.unlink()
    assert model_card(described).limits == ()


def test_every_figure_of_the_committed_metrics_is_read():
    measured = read_metrics(WEIGHTS).four_class
    assert set(measured.per_class) == set(CLASSES)
    assert set(measured.roc_curves) >= {*CLASSES, "tumour"}
    assert measured.calibration.reliability
    assert sum(map(sum, measured.confusion.counts)) == sum(
        row.support for row in measured.per_class.values()
    )
    for name in ("tumour_sensitivity", "tumour_specificity", "balanced_accuracy"):
        figure = measured.figures[name]
        assert figure.low <= figure.value <= figure.high


def test_intervals_of_a_class_are_taken_where_they_are(weights):
    def add(metrics):
        metrics["four_class"].pop("per_class_intervals", None)

    changed(weights, add)
    assert read_metrics(weights).four_class.per_class[TumourClass.GLIOMA].recall.low is None
    interval = {"value": 0.8, "low": 0.7, "high": 0.9}
    changed(
        weights,
        lambda metrics: metrics["four_class"].update(
            per_class_intervals={"glioma": {"recall": interval}}
        ),
    )
    row = read_metrics(weights).four_class.per_class[TumourClass.GLIOMA]
    assert row.recall == Figure(**interval)
    assert row.precision.low is None


@pytest.mark.parametrize("key", ["four_class", "segmentation", "lgg", "counts", "definitions"])
def test_a_file_without_a_section_is_read(weights, key):
    changed(weights, lambda metrics: metrics.pop(key, None))
    assert read_metrics(weights).model_version


@pytest.mark.parametrize("key", ["confusion_matrix", "roc_curves", "calibration", "per_class"])
def test_a_section_in_another_form_is_left_out_and_the_rest_stays(weights, key):
    changed(weights, lambda metrics: metrics["four_class"].update({key: {"new": ["form"]}}))
    measured = read_metrics(weights).four_class
    assert measured.figures["balanced_accuracy"].value
    assert not {
        "confusion_matrix": measured.confusion,
        "roc_curves": measured.roc_curves,
        "calibration": measured.calibration,
        "per_class": measured.per_class,
    }[key]


def test_what_later_versions_add_is_left_alone(weights):
    def add(metrics):
        metrics["later"] = {"anything": [1]}
        metrics["four_class"]["later"] = {"value": 0.5, "low": 0.4, "high": 0.6, "kind": "new"}
        metrics["four_class"]["per_class"]["glioma"]["later"] = 1
        metrics["four_class"]["per_class"]["wart"] = {}
        metrics["counts"]["later"] = 3

    changed(weights, add)
    measured = read_metrics(weights).four_class
    assert measured.figures["later"].value == 0.5
    assert set(measured.per_class) == set(CLASSES)


def test_a_figure_that_does_not_exist_is_a_dash(weights):
    absent = {"value": None, "low": None, "high": None}
    changed(weights, lambda metrics: metrics["four_class"].update(roc_auc_tumour=absent))
    figure = read_metrics(weights).four_class.figures["roc_auc_tumour"]
    assert value_in_words(figure) == interval_in_words(figure) == "–"


def test_figures_in_words():
    figure = Figure(value=0.9765, low=0.9512, high=1.0)
    assert (value_in_words(figure), interval_in_words(figure)) == (
        "97.7\N{NO-BREAK SPACE}%",
        "95.1 to 100.0\N{NO-BREAK SPACE}%",
    )
    assert value_in_words(figure, share=False) == "0.977"
    assert interval_in_words(figure, share=False) == "0.951 to 1.000"
    assert interval_in_words(Figure.model_validate(0.5)) == "–"


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"{}", b'{"model_version": "x"}'])
def test_metrics_that_cannot_be_read_are_said(described, weights, content):
    path = weights / "metrics.json"
    path.unlink() if content is None else path.write_bytes(content)
    card = model_card(described)
    assert card.metrics is None
    assert "python -m train evaluate" in card.metrics_problem


def test_metrics_of_other_weights_are_not_shown(described, weights):
    changed(weights, lambda metrics: metrics.update(model_version="older"))
    card = model_card(described)
    assert card.metrics is None
    assert "older" in card.metrics_problem and card.version in card.metrics_problem


def test_without_a_manifest_there_is_no_card(described, weights):
    (weights / "manifest.json").unlink()
    with pytest.raises(WeightsError, match=r"manifest\.json is missing"):
        model_card(described)


def test_trust_is_read_where_it_was_measured(weights):
    trust = {
        "prediction_sets": {
            "90%": {
                "stated_coverage": 0.9,
                "coverage": 0.92,
                "coverage_by_class": {"glioma": 0.88, "no_tumor": None},
                "mean_set_size": 1.2,
            }
        },
        "robustness": {
            "blur": {
                "balanced_accuracy": 0.8,
                "agreement": 0.9,
                "tumour_sensitivity": 0.95,
                "tumour_specificity": None,
                "rejected": 0.1,
            }
        },
        "out_of_distribution": {
            "pictures": {"noise": 6},
            "scores": {
                "served": {
                    "auroc": 0.99,
                    "good_scans_rejected": 0.01,
                    "rejected": {"all": 1.0, "noise": 1.0},
                }
            },
        },
        "modality": {
            # Withdrawn, as earlier files have it.
            "class_from_sequence_alone": {"balanced_accuracy": 0.26, "tumour_auc": 0.52},
            "class_from_brightness_alone": {
                "balanced_accuracy": {"value": 0.5, "low": 0.4, "high": 0.6},
                "tumour_auc": {"value": 0.9, "low": 0.8, "high": 0.95},
            },
        },
    }
    changed(weights, lambda metrics: metrics.update(trust=trust))
    metrics = read_metrics(weights)
    sets = metrics.prediction_sets["90%"]  # in the form of earlier files
    assert (sets.coverage.value, sets.coverage.low, sets.patient_coverage) == (0.92, None, None)
    assert sets.coverage_by_class[TumourClass.NO_TUMOR].value is None
    assert metrics.strangers.scores["served"].good_scans_rejected.value == 0.01
    assert metrics.robustness["blur"].balanced_accuracy.value == 0.8
    assert metrics.robustness["blur"].tumour_specificity is None
    assert metrics.strangers.scores["served"].rejected["noise"] == 1
    assert (metrics.shortcut.tumour_auc.value, metrics.shortcut.tumour_auc.low) == (0.9, 0.8)
    changed(weights, lambda one: one["trust"]["modality"].pop("class_from_brightness_alone"))
    assert read_metrics(weights).shortcut is None
