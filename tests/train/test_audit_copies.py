"""Copies are found however they were changed; different pictures are not taken for copies."""

import numpy as np
import pytest

from core.errors import DataError
from tests.train.audit_pictures import (
    cut,
    gamma,
    head,
    padded,
    resized,
    save,
    sharpened,
    turned,
)
from train.audit.run import audit

HEADS = 6

CHANGES = {
    "JPEG": (lambda p: p, "resized ×0.80"),
    "mirrored": (lambda p: p[:, ::-1], "mirrored"),
    "upside down": (lambda p: p[::-1], "upside down"),
    "quarter turn": (lambda p: np.rot90(p), "turned -90°"),
    "half turn": (lambda p: np.rot90(p, 2), "turned 180°"),
    "mirrored and turned": (lambda p: np.rot90(p[:, ::-1], -1), "mirrored, turned 90°"),
    "small turn": (lambda p: turned(p, -9), "turned 9°"),
    "large turn, mirrored": (lambda p: turned(padded(p)[:, ::-1], 37), "mirrored, turned -37°"),
    "smaller": (lambda p: resized(p, 0.7, 0.7), "resized ×0.56"),
    "stretched": (lambda p: resized(p, 1.3, 1.0), "stretched 1.30:1"),
    "padded": (padded, "resized ×0.80"),
    "cut": (lambda p: cut(p, 0.2), "cut by"),
    "dark": (lambda p: gamma(p, 2.2), "contrast changed"),
    "bright and clipped": (lambda p: np.clip(p * 1.7, 0, 255).astype(np.uint8), "contrast changed"),
    "sharpened": (lambda p: sharpened(p, 4), "sharper"),
}


def found_in(folder):
    return audit([folder], workers=2)


def groups_of(found):
    """The file names of each group of several."""
    groups = {}
    for member in found.members:
        groups.setdefault(member.group, set()).add(member.picture.path)
    return [group for group in groups.values() if len(group) > 1]


def relation_of(found, path):
    return found.relations[[member.picture.path for member in found.members].index(path)]


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_and_described(tmp_path, change):
    alter, words = CHANGES[change]
    for seed in range(HEADS):
        save(tmp_path / f"{seed}.png", head(seed))
    # The picture with the most pixels speaks for its group: here the original.
    original = resized(head(2), 1.6, 1.6)
    save(tmp_path / "2.png", original)
    save(tmp_path / "copy.jpg", alter(resized(original, 0.8, 0.8)), quality=70)
    found = found_in(tmp_path)
    assert groups_of(found) == [{"2.png", "copy.jpg"}]
    relation = relation_of(found, "copy.jpg")
    assert words in relation.words
    assert relation.direct and relation.similarity >= found.copy_from
    assert relation.mirrored == (words.startswith(("mirrored", "upside down")))
    if "cut" not in words:
        assert "cut" not in relation.words


def test_an_identical_file_is_called_so(tmp_path):
    save(tmp_path / "1.png", head(1))
    save(tmp_path / "2.png", head(2))
    (tmp_path / "again.png").write_bytes((tmp_path / "2.png").read_bytes())
    found = found_in(tmp_path)
    assert groups_of(found) == [{"2.png", "again.png"}]
    assert relation_of(found, "again.png").words == "identical file"


def test_different_heads_are_no_copies(tmp_path):
    for seed in range(20):
        save(tmp_path / f"{seed}.png", head(seed))
        # However alike in outline, size and brightness.
        save(tmp_path / f"{seed}-again.png", head(100 + seed)[:, ::-1])
    found = found_in(tmp_path)
    assert groups_of(found) == []
    assert len(found.copies.groups) == 40


def test_a_neighbouring_slice_is_no_copy_but_is_named(tmp_path):
    first, other = head(1).astype(float), head(2).astype(float)
    for i, share in enumerate((0.0, 0.28, 0.56)):
        save(tmp_path / f"{i}.png", np.rint(first + share * (other - first)).astype(np.uint8))
    found = found_in(tmp_path)
    assert groups_of(found) == []
    near = {
        frozenset(found.members[i].picture.path for i in (e.first, e.second))
        for e in found.copies.near
    }
    assert frozenset({"0.png", "1.png"}) in near
    assert all(edge.match.similarity < found.copy_from for edge in found.copies.near)


def test_copies_of_copies_are_one_group_with_one_representative(tmp_path):
    picture = resized(head(5), 1.5, 1.5)
    chain = {
        "a.png": picture,
        "b.png": resized(picture[:, ::-1], 0.9, 0.9),
        "c.png": sharpened(resized(np.rot90(picture), 0.8, 0.8), 1.0),
        "d.png": sharpened(resized(np.rot90(picture), 0.7, 0.7), 3.0),
        "other.png": head(6),
    }
    for name, pixels in chain.items():
        save(tmp_path / name, pixels)
    found = found_in(tmp_path)
    assert groups_of(found) == [{"a.png", "b.png", "c.png", "d.png"}]
    names = [member.picture.path for member in found.members]
    assert {names[relation_of(found, n).representative] for n in "abcd" for n in [f"{n}.png"]} == {
        "a.png"
    }
    assert "mirrored" in relation_of(found, "b.png").words
    assert relation_of(found, "d.png").degrees == pytest.approx(-90, abs=2)


def test_the_transform_leads_from_the_representative_to_the_copy(tmp_path):
    picture = resized(head(3), 1.5, 1.5)
    save(tmp_path / "1.png", picture)
    save(tmp_path / "2.png", padded(resized(picture[:, ::-1], 0.8, 0.8), 30))
    found = found_in(tmp_path)
    original, copy = found.fingerprints
    between = copy.to_source @ found.relations[1].transform @ np.linalg.inv(original.to_source)
    height, width = picture.shape
    for x, y in ((width * 0.3, height * 0.4), (width * 0.7, height * 0.8)):
        there = between @ (x, y, 1)
        expected = ((width - 1 - x) * 0.8 + 30, y * 0.8 + 30)
        assert there[:2] == pytest.approx(expected, abs=1.5)


def test_blank_pictures_are_no_copies_of_one_another(tmp_path):
    save(tmp_path / "black.png", np.zeros((80, 80), np.uint8))
    save(tmp_path / "gray.png", np.full((90, 70), 128, np.uint8))
    save(tmp_path / "head.png", head(1))
    assert groups_of(found_in(tmp_path)) == []


def test_damaged_files_are_listed_and_the_rest_is_audited(tmp_path):
    save(tmp_path / "1.png", head(1))
    save(tmp_path / "2.png", head(1)[:, ::-1])
    (tmp_path / "broken.png").write_bytes((tmp_path / "1.png").read_bytes()[:2000])
    (tmp_path / "text.jpg").write_text("no picture")
    found = found_in(tmp_path)
    assert groups_of(found) == [{"1.png", "2.png"}]
    assert [picture.path for picture, _ in found.damaged] == ["broken.png", "text.jpg"]
    assert all(reason for _, reason in found.damaged)


def test_nothing_readable_is_an_error(tmp_path):
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(DataError, match="None of the 1 pictures"):
        found_in(tmp_path)


def test_a_single_picture_is_a_group_of_its_own(tmp_path):
    save(tmp_path / "1.png", head(1))
    assert found_in(tmp_path).copies.groups == [[0]]


def test_a_stricter_threshold_finds_less(tmp_path):
    save(tmp_path / "1.png", head(1))
    save(tmp_path / "2.jpg", head(1), quality=40)
    assert groups_of(audit([tmp_path], copy_from=0.9999)) == []
    assert len(groups_of(audit([tmp_path], copy_from=0.9))) == 1
