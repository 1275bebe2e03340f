"""Volumes of a case: made once, found in order, and the history's one line about many slices."""

from dataclasses import replace

import pytest
from sqlalchemy import update

from core.errors import InputError
from core.store import audit, images
from core.store.originals import keep_original
from core.store.series import find_or_create_series, get_series, series_of_study
from core.store.standings import standings
from core.store.tables import ImageRow, ScanRow, SeriesRow
from core.types import Plane, ScoringState, SeriesFacts, SlicePlace
from tests.core.store.made_up import NOW, add_case, add_image, add_reader

FACTS = SeriesFacts(
    study_uid="1.2", series_uid="1.2.3", instance_uid="1.2.3.4", stack="a", number=5,
    sequence="T1 with contrast", plane=Plane.AXIAL, notices=("Text.",),
)  # fmt: skip
PLACE = SlicePlace((-1.5, 2.0, 30.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.5, 0.4), 5.0)


def make(session, study_id, **changes):
    facts = replace(FACTS, **changes)
    return find_or_create_series(session, study_id, facts, source_format="DICOM", origin="node")


def test_an_equal_stack_of_one_case_is_one_volume(installation):
    with installation.database.transaction() as session:
        first, second = add_case(session), add_case(session)
        series_id, made = make(session, first)
        assert made
        assert make(session, first, instance_uid="other") == (series_id, False)
        assert make(session, first, stack="b")[1]
        assert make(session, second)[1]
        first_of_two, _ = series_of_study(session, first)
        assert first_of_two.id == series_id
        found = get_series(session, series_id)
    assert (found.study_uid, found.series_uid, found.plane) == ("1.2", "1.2.3", Plane.AXIAL)
    assert (found.sequence, found.origin, found.notices) == ("T1 with contrast", "node", ("Text.",))


def test_figures_that_nearly_agree_are_one_volume(installation):
    with installation.database.transaction() as session:
        study_id = add_case(session)
        first, _ = make(session, study_id, measured=(34.4996, 0.0))
        assert make(session, study_id, measured=(34.5004, 0.9)) == (first, False)
        far, made = make(session, study_id, measured=(36.0, 0.0))
        assert made
        assert make(session, study_id, measured=(36.5, 0.0)) == (far, False)
        assert make(session, study_id, measured=(34.4996,))[1]
        assert make(session, study_id, measured=(34.4996, 0.0)) == (first, False)


@pytest.mark.parametrize("failed", [None, "first", "both"])
def test_slices_that_lie_twice_in_a_case_count_once(installation, failed):
    """As in databases filled before such slices were recognised."""
    far = replace(PLACE, origin=(-1.5, 2.0, 35.0))
    with installation.database.transaction() as session:
        study_id = add_case(session)
        series_id, _ = make(session, study_id)
        # Without their object they are not recognised; one UID for two places is no copy.
        made = [add_image(session) for _ in range(3)]
        new = [
            images.NewScan(n, series_id, p) for n, p in zip(made, (PLACE, PLACE, far), strict=True)
        ]
        one, other, third = (n for n, _ in images.link_scans(session, study_id, new, NOW))
        session.execute(update(ScanRow).values(instance_uid="1.2.3.4"))
        lost = {None: [], "first": made[:1], "both": made[:2]}[failed]
        session.execute(update(ImageRow).where(ImageRow.id.in_(lost)).values(state="failed"))
        kept = [other if failed == "first" else one, third]
        assert [scan.id for scan in images.scans_of_study(session, study_id)] == kept
        found = standings(session, study_id)
    assert [scan.scan_id for scan in found] == kept
    assert (found[0].state is ScoringState.FAILED) == (failed == "both")


def test_notices_of_later_slices_are_added(installation):
    with installation.database.transaction() as session:
        study_id = add_case(session)
        series_id, _ = make(session, study_id)
        make(session, study_id, notices=("More.", "Text."))
        assert get_series(session, series_id).notices == ("Text.", "More.")


def test_volumes_come_by_their_numbers_and_then_by_receipt(installation):
    with installation.database.transaction() as session:
        study_id = add_case(session)
        for stack, number in (("a", None), ("b", 9), ("c", 2), ("d", None)):
            make(session, study_id, stack=stack, number=number)
        assert [one.number for one in series_of_study(session, study_id)] == [2, 9, None, None]


def test_what_is_too_long_for_a_code_is_cut_and_any_stack_is_told_apart(installation):
    with installation.database.transaction() as session:
        study_id = add_case(session)
        one, _ = make(session, study_id, stack="x" * 9999 + "1", modality="M" * 99)
        other, _ = make(session, study_id, stack="x" * 9999 + "2", study_uid="1" * 99)
        assert one != other
        assert session.get_one(SeriesRow, one).modality == "M" * 16


def test_a_series_is_read_without_the_others_of_its_case(installation):
    with installation.database.transaction() as session:
        study_id = add_case(session)
        series = [make(session, study_id, stack=stack)[0] for stack in "ab"]
        new = [images.NewScan(add_image(session), n) for n in (*series, *series, None)]
        images.link_scans(session, study_id, new, NOW)
        whole = images.scans_of_study(session, study_id)
        for number in series:
            assert images.scans_of_series(session, number) == [
                scan for scan in whole if scan.series_id == number
            ]
        assert len(images.scans_of_series(session, series[0])) == 2


def test_slices_keep_their_place(installation):
    with installation.database.transaction() as session:
        study_id, image_id = add_case(session), add_image(session)
        series_id, _ = make(session, study_id)
        new = images.NewScan(image_id, series_id, PLACE, "1.2.3.4")
        [(scan_id, made)] = images.link_scans(session, study_id, [new], NOW)
        assert made
    with installation.database.reading() as session:
        scan = images.get_scan(session, scan_id)
        assert images.places_of_image(session, image_id) == [(study_id, series_id)]
    assert (scan.series_id, scan.place, scan.instance_uid) == (series_id, PLACE, "1.2.3.4")


@pytest.mark.parametrize("number", [0, 999, 2**63])
def test_a_volume_that_does_not_exist_is_said(installation, number):
    with (
        pytest.raises(InputError, match=f"no series with the number {number}"),
        installation.database.reading() as session,
    ):
        get_series(session, number)


def test_the_same_line_stands_in_the_history_once_an_hour(installation):
    with installation.database.transaction() as session:
        study_id, reader = add_case(session), add_reader(session, "Ada")
        other = add_case(session)

        def say(text, at, case=study_id, user=None):
            audit.log_once(
                session, action="upload", text=text, now=at, since=at - 3600, study_id=case,
                user_id=user,
            )  # fmt: skip

        say("Slices.", NOW)
        say("Slices.", NOW + 10)
        say("Others.", NOW + 20)
        say("Slices.", NOW + 30, user=reader.id)
        say("Slices.", NOW + 40, case=other)
        say("Slices.", NOW + 3601)
        assert [(e.text, e.who) for e in audit.history(session, study_id)] == [
            ("Slices.", "system"),
            ("Others.", "system"),
            ("Slices.", "Ada (unverified)"),
            ("Slices.", "system"),
        ]
        assert len(audit.history(session, other)) == 1


def test_of_two_originals_of_one_file_the_first_is_kept_and_hidden_from_others(tmp_path):
    for data in (b"first", b"second"):
        keep_original(tmp_path / "originals", "ab" * 32, data)
    [kept] = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert (kept.read_bytes(), kept.stat().st_mode & 0o077) == (b"first", 0)
    assert (tmp_path / "originals").stat().st_mode & 0o077 == 0
