"""What pages keep for all sessions of the process: nothing of one visitor reaches another."""

import ast

import pytest
import streamlit as st

from core.services.readers import add_reader
from core.services.review import look_again
from core.services.volumes import case_series
from pages.components import case_scans, volume_view, worklist_cases
from tests.dicoms import head_volume, mr_series
from tests.fakes import scan_png
from tests.installations import make_installation, send_case
from tests.pages.harness import ROOT


@pytest.fixture
def visitors(tmp_path):
    """Two installations, as two visitors of the demonstration have them."""
    st.cache_data.clear()
    made = [make_installation(tmp_path / name) for name in ("first", "second")]
    yield made
    for one in made:
        one.database.close()
    st.cache_data.clear()


def case_of(installation, *files):
    reader = add_reader(installation, "Visitor")
    return look_again(installation, reader, send_case(installation, reader, *files))


def test_series_of_the_same_number_are_shown_each_as_it_is(visitors):
    ranges, packed, volumes, measured = [], [], [], []
    for installation, brightness, lesion in zip(
        visitors, (1, 3), ((2, 3), (1, 2, 3, 4)), strict=True
    ):
        files = mr_series(head_volume(6, lesion=lesion) * brightness)
        (one,) = case_series(installation, case_of(installation, *files)).series
        assert one.series.id == 1
        # As if everything else that could tell them apart were equal.
        same = ("0",) * 6
        ranges.append(volume_view._display(installation, one, 1, "same").value_range)
        packed.append(volume_view._packed_slices(installation, one, 1, (0,), same, "same"))
        volumes.append(volume_view._packed_volume(installation, one, 1, same))
        measured.append(volume_view._measures(installation, one, 1, same))
    assert ranges[0] != ranges[1]
    assert packed[0].layers != packed[1].layers
    assert packed[0].pictures[0]["range"] == ranges[0]
    assert packed[1].pictures[0]["range"] == ranges[1]
    assert volumes[0] != volumes[1]
    assert measured[0] != measured[1]


def test_scans_of_the_same_number_are_shown_each_as_it_is(visitors):
    packed, beside, keys = [], [], []
    for installation, lesion in zip(visitors, (True, False), strict=True):
        scan = case_of(installation, scan_png(lesion=lesion)).scans[0]
        assert scan.id == 1
        packed.append(case_scans._packed(installation, [("Scan", scan)], []))
        beside.append(case_scans._packed_beside(installation, "Earlier", scan, ()).layers)
        keys.append(scan.analysis.thumbnail_key)
    assert packed[0] != packed[1]
    assert beside[0] != beside[1]
    # A visitor who knows the key of another one's picture does not have the picture.
    worklist_cases._picture(visitors[0], keys[0])
    with pytest.raises(worklist_cases.StoreError):
        worklist_cases._picture(visitors[1], keys[0])


def test_what_is_kept_is_made_once_for_one_installation(visitors, monkeypatch):
    view = case_of(visitors[0], *mr_series(head_volume(6, lesion=(2, 3))))
    (one,) = case_series(visitors[0], view).series
    first = volume_view._display(visitors[0], one, 1, volume_view._contents(one))
    monkeypatch.setattr(volume_view, "series_display", None)
    again = volume_view._display(visitors[0], one, 1, volume_view._contents(one))
    assert again == first


def cached_functions():
    for path in sorted([*(ROOT / "pages").rglob("*.py"), ROOT / "streamlit_app.py"]):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.FunctionDef):
                continue
            for decorator in map(ast.unparse, node.decorator_list):
                if decorator.startswith(("st.cache_data", "st.cache_resource")):
                    yield f"{path.name}: {node.name}", node, decorator


def test_every_cache_tells_installations_apart():
    found = list(cached_functions())
    assert len(found) >= 10
    for name, node, decorator in found:
        given = node.args
        arguments = {
            one.arg: ast.unparse(one.annotation)
            for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)
        }
        installations = [arg for arg, kind in arguments.items() if "Installation" in kind]
        # Streamlit leaves out of the key what begins with an underscore.
        unseen = [arg for arg in arguments if arg.startswith("_")]
        assert not set(installations) & set(unseen), name
        assert not unseen or installations, f"{name}: which installation's {unseen}?"
        assert not installations or "hash_funcs=TOLD_APART" in decorator, name
