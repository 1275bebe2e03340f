"""From images that wait to cases that stand where they belong."""

import cv2
import numpy as np
import pytest

from core.services.pictures import MASK_COLOUR
from core.services.scoring import score_waiting
from core.types import CLASSES
from tests.fakes import FakeEngine, scan_png


def test_a_scored_case_takes_its_place(installation, cases):
    calm = cases.add(scan_png(lesion=False))
    urgent = cases.add(scan_png())
    before = cases.case(urgent)
    assert (before.predicted, before.reasons[0].code, before.scored_count) == (None, "waiting", 0)
    assert score_waiting(installation, FakeEngine()) == 2
    case = cases.case(urgent)
    assert (case.predicted, case.model_version, case.status) == ("glioma", "fake-1", "new")
    assert (case.scan_count, case.scored_count, case.failed_count) == (1, 1, 0)
    assert case.reasons[0].code == "glioma"
    assert case.score > cases.case(calm).score
    assert cases.counters().images_to_score == 0
    assert cases.history(urgent)[-1] == ("scan_scored", "One scan analysed by model fake-1")


def test_a_case_stands_where_its_worst_scan_puts_it(installation, cases):
    study_id = cases.add(scan_png(lesion=False), scan_png(), scan_png(80, 80, lesion=False))
    score_waiting(installation, FakeEngine())
    case = cases.case(study_id)
    leading = next(s for s in cases.scans(study_id) if s.analysis.finding.predicted == "glioma")
    assert case.thumbnail_key == leading.analysis.thumbnail_key
    assert (case.predicted, case.scored_count) == ("glioma", 3)


def test_the_pictures_of_a_result_are_kept(installation, cases):
    study_id = cases.add(scan_png(900, 600), spacing=(0.5, 0.5))
    score_waiting(installation, FakeEngine())
    (scan,) = cases.scans(study_id)
    found = scan.analysis
    mask = cases.stored(found.mask_key)
    assert mask.shape == (900, 600)
    assert set(np.unique(mask)) == {0, 255}
    assert found.finding.lesion.area_px == (mask > 0).sum()
    assert found.finding.lesion.area_mm2 == pytest.approx((mask > 0).sum() * 0.25)
    heat = {name: cases.stored(key) for name, key in found.heat_map_keys.items()}
    assert set(heat) == set(CLASSES)
    assert all(picture.shape == (512, 341) for picture in heat.values())
    assert heat["glioma"].max() > heat["meningioma"].max() > 0
    assert cases.stored(found.thumbnail_key).shape == (96, 64, 3)
    assert found.decision_threshold == 0.4


def test_the_small_picture_shows_even_a_small_lesion(installation, cases):
    picture = np.full((960, 960), 60, np.uint8)
    cv2.circle(picture, (480, 480), 300, 120, -1)
    picture[400:404, 500:504] = 220
    study_id = cases.add(cv2.imencode(".png", picture)[1].tobytes())
    score_waiting(installation, FakeEngine())
    small = cases.stored(cases.case(study_id).thumbnail_key)
    rows, columns = np.where((small == MASK_COLOUR).all(axis=2))
    assert len(rows)
    assert (np.abs(rows - 40) <= 2).all()
    assert (np.abs(columns - 50) <= 2).all()


def test_an_image_of_two_cases_is_scored_once_and_moves_both(installation, cases):
    first, second = cases.add(scan_png()), cases.add(scan_png(), scan_png(80, 80, lesion=False))
    assert score_waiting(installation, FakeEngine()) == 2
    assert [cases.case(case).predicted for case in (first, second)] == ["glioma", "glioma"]
    assert cases.case(second).scored_count == 2
