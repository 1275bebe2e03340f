"""``python -m train audit`` from folders to files."""

import csv
import json
import re
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from tests.train.audit_pictures import gamma, head, resized, save
from train.audit import COPY_FROM
from train.audit.report import GROUPS_HEADER
from train.cli import app


def audit(*arguments):
    return CliRunner().invoke(app, ["audit", *map(str, arguments)])


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Two sets: of four test pictures two leak; one scan has two labels; one file is damaged."""
    root = tmp_path_factory.mktemp("sets")
    first, second = root / "first", root / "second"
    for seed in range(4):
        save(first / "Training" / "glioma_tumor" / f"g{seed}.jpg", head(seed))
        save(first / "Training" / "no_tumor" / f"n{seed}.jpg", head(10 + seed))
    save(first / "Testing" / "glioma_tumor" / "leak <b>|.jpg", head(1)[:, ::-1])
    save(first / "Testing" / "glioma_tumor" / "new.jpg", head(20))
    save(first / "Testing" / "no_tumor" / "leak.jpg", gamma(head(12), 1.8))
    save(first / "Testing" / "no_tumor" / "new.jpg", head(21))
    (first / "Testing" / "no_tumor" / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    save(second / "pituitary" / "2.png", resized(head(2), 1.2, 1.2))
    save(second / "pituitary" / "3.png", head(30))
    return first, second


@pytest.fixture(scope="module")
def report(sets, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "audit"
    result = audit(*sets, "--out", out)
    assert result.exit_code == 0, result.output
    return out, result.output


def rows(file):
    with file.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def test_the_group_list_has_every_readable_picture(report):
    out, _ = report
    table = {f"{row['dataset']}/{row['path']}": row for row in rows(out / "groups.csv")}
    assert len(table) == 14
    leak = table["first/Testing/glioma_tumor/leak <b>|.jpg"]
    original = table["first/Training/glioma_tumor/g1.jpg"]
    assert leak["group"] == original["group"]
    assert (leak["split"], leak["label"], leak["group_size"]) == ("test", "glioma", "2")
    assert {leak["mirrored"], original["mirrored"]} == {"0", "1"}
    assert "mirrored" in (leak["transform"], original["transform"])
    assert table["second/pituitary/2.png"]["transform"] == "representative"
    assert "resized ×0.83" in table["first/Training/glioma_tumor/g2.jpg"]["transform"]
    assert len({row["group"] for row in table.values()}) == 11


def test_leaks_and_contradictions_are_counted(report):
    out, said = report
    figures = json.loads((out / "audit.json").read_text(encoding="utf-8"))
    leaks = {row["label"]: (row["pictures"], row["copied"]) for row in figures["split_leaks"]}
    assert leaks == {"all": (4, 2), "glioma": (2, 1), "no_tumor": (2, 1)}
    assert figures["disputed"] == [
        ["first", "glioma", "pituitary", 1],
        ["second", "pituitary", "glioma", 1],
    ]
    assert "first test: 2 of 4 (50.0%) have a copy in first train, 1 of them only mirrored" in said
    assert "1 groups carry labels that contradict" in said


def test_damaged_files_are_listed(report):
    out, said = report
    (row,) = rows(out / "damaged.csv")
    assert row["picture"] == "first/Testing/no_tumor/broken.jpg"
    assert "1 files cannot be read" in said


def test_the_reports_show_existing_pictures_and_hide_no_file_name(report):
    out, _ = report
    page = (out / "report.html").read_text(encoding="utf-8")
    shown = re.findall(r'src="([^"]+)"', page)
    assert shown
    assert all((out / file).stat().st_size > 500 for file in shown)
    assert "leak &lt;b&gt;|.jpg" in page
    assert "<b>" not in page
    text = (out / "report.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\((examples/[^)]+)\)", text)) == set(shown)
    assert "leak \\<b\\>\\|.jpg" in text


def test_one_report_can_be_asked_for(sets, tmp_path):
    assert audit(sets[1], "--out", tmp_path / "a", "--html").exit_code == 0
    assert audit(sets[1], "--out", tmp_path / "b", "--markdown").exit_code == 0
    assert [f.suffix for f in sorted((tmp_path / "a").glob("report.*"))] == [".html"]
    assert [f.suffix for f in sorted((tmp_path / "b").glob("report.*"))] == [".md"]


def test_a_list_checks_its_own_split(sets, tmp_path):
    table = tmp_path / "list.csv"
    table.write_text(
        "dataset,path,label,split,group\n"
        "first,Training/glioma_tumor/g2.jpg,glioma,train,1\n"
        "second,pituitary/2.png,glioma,test,1\n"
        "second,pituitary/3.png,pituitary,test,2\n"
    )
    result = audit(*sets, "--out", tmp_path / "out", "--list", table, "--markdown")
    assert result.exit_code == 0, result.output
    figures = json.loads((tmp_path / "out" / "audit.json").read_text(encoding="utf-8"))
    leak = figures["listed_leaks"][0]
    assert (leak["of"], leak["among"], leak["pictures"], leak["copied"]) == ("test", "train", 2, 1)
    assert figures["torn_groups"] == 1
    assert figures["contradictions"] == []
    assert {row["dataset"]: row["recall"] for row in figures["agreement"]}["all"] == 1.0


def test_splits_of_a_list_are_understood_or_named(sets, tmp_path):
    table = tmp_path / "list.csv"
    table.write_text(
        "dataset,path,split\n"
        "first,Training/glioma_tumor/g2.jpg,Training\n"
        "second,pituitary/2.png,Testing\n"
        "second,pituitary/3.png,fold <3>\n"
    )
    result = audit(*sets, "--out", tmp_path / "out", "--list", table)
    assert result.exit_code == 0, result.output
    assert "test: 1 of 1 (100.0%) have a copy in train" in result.output
    named = "none of train, val and test, not compared (pictures): 'fold <3>' (1)."
    assert named in result.output
    assert named.replace("<3>", r"\<3\>") in (tmp_path / "out/report.md").read_text("utf-8")


def test_a_list_with_unknown_splits_alone_is_no_list_without_leaks(sets, tmp_path):
    table = tmp_path / "list.csv"
    table.write_text(
        "dataset,path,split\n" + "".join(f"second,pituitary/{i}.png,fold{i}\n" for i in (2, 3))
    )
    result = audit(sets[1], "--out", tmp_path / "out", "--list", table, "--markdown")
    assert result.exit_code == 0, result.output
    text = (tmp_path / "out" / "report.md").read_text("utf-8")
    assert "The list puts no pictures into two of train, val and test." in text
    assert "'fold2' (1), 'fold3' (1)" in text


def labels_told(folder, out, *options):
    """What the report says of labels, and what the terminal does."""
    result = audit(folder, "--out", out, "--markdown", *options)
    assert result.exit_code == 0, result.output
    text = (out / "report.md").read_text("utf-8")
    return text.split("## Labels that contradict")[1].split("##")[0].strip(), result.output


def test_labels_are_not_called_alike_where_none_are_known(tmp_path):
    for i in range(2):
        save(tmp_path / "set" / f"patient{i}" / "images" / "1.png", head(1))
    told, said = labels_told(tmp_path / "set", tmp_path / "out", "--no-folder-labels")
    assert told == "No labels are known: neither the folders' names nor a list give any."
    assert told in said and "contradict" not in said
    assert "1 groups carry more than one label" in labels_told(tmp_path / "set", tmp_path)[0]


def test_the_report_says_how_much_is_known_of_labels(tmp_path):
    save(tmp_path / "set" / "glioma" / "1.png", head(1))
    save(tmp_path / "set" / "2.png", head(2))
    told, said = labels_told(tmp_path / "set", tmp_path / "out")
    assert told == "None: only one label is known, glioma. Pictures without a label: 1."
    assert "0 groups carry labels that contradict" in said
    save(tmp_path / "set" / "no" / "3.png", head(3))
    told, _ = labels_told(tmp_path / "set", tmp_path / "out")
    assert told == "None: all copies of a scan carry the same label. Pictures without a label: 1."


def test_a_report_inside_the_audited_folder_is_not_audited_with_it(tmp_path):
    folder, out = tmp_path / "set", tmp_path / "set" / "audit"
    save(folder / "a.jpg", head(1))
    save(folder / "examples" / "copy-01.jpg", head(1)[:, ::-1])
    for _ in range(2):
        assert audit(folder, "--out", out).exit_code == 0
        assert list((out / "examples").iterdir())
        paths = {row["path"] for row in rows(out / "groups.csv")}
        assert paths == {"a.jpg", "examples/copy-01.jpg"}


def test_what_an_earlier_report_left_is_removed_and_nothing_else(tmp_path):
    out = tmp_path / "out"
    save(tmp_path / "set" / "1.png", head(1))
    save(tmp_path / "set" / "2.jpg", head(1)[:, ::-1])
    save(out / "examples" / "mine.jpg", head(2))
    (out / "report.html").write_text("Of something else.")
    assert audit(tmp_path / "set", "--out", out, "--markdown").exit_code == 0
    assert (out / "report.html").read_text() == "Of something else."
    assert len(list((out / "examples").iterdir())) == 2
    (tmp_path / "set" / "2.jpg").unlink()
    assert audit(tmp_path / "set", "--out", out, "--html").exit_code == 0
    assert [file.name for file in (out / "examples").iterdir()] == ["mine.jpg"]
    assert [file.name for file in out.glob("report.*")] == ["report.html"]


def test_wrong_folders_are_told_in_one_line(tmp_path):
    result = audit(tmp_path / "absent", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "is not a folder" in result.output
    assert not (tmp_path / "out").exists()


def test_pictures_are_never_changed(sets, tmp_path):
    files = [file for folder in sets for file in folder.rglob("*") if file.is_file()]
    before = [file.read_bytes() for file in files]
    audit(*sets, "--out", tmp_path / "out")
    assert [file.read_bytes() for file in files] == before


def test_the_documents_name_every_option_and_every_column():
    guide = (Path(__file__).parents[2] / "train" / "README.md").read_text("utf-8")
    section = guide.split("\n## Leakage audit\n")[1].split("\n## ")[0]
    options = [
        name
        for parameter in get_command(app).commands["audit"].params
        if parameter.param_type_name == "option"
        for name in (*parameter.opts, *parameter.secondary_opts)
    ]
    for name in (*options, *GROUPS_HEADER):
        assert f"`{name}" in section, name
    assert f"{COPY_FROM:.2f}" in section
