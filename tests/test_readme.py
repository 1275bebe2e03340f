"""The README lists every setting with its default; the files and commands it names exist."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from pydantic import BaseModel

from core.cli import app as core_commands
from core.config import DemoRules, NodeSettings, PriorityRules, Settings, UploadLimits

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
NESTED = {
    "priority": PriorityRules,
    "upload": UploadLimits,
    "demo": DemoRules,
    "node": NodeSettings,
}


def row(name: str) -> str:
    rows = [line for line in README.splitlines() if line.startswith(f"| `{name}` |")]
    assert len(rows) == 1, f"the README's tables have {len(rows)} rows for {name}, expected one"
    return rows[0]


@pytest.mark.parametrize("name", [n for n in Settings.model_fields if n not in NESTED])
def test_every_setting_stands_in_the_readme(name):
    assert row(f"NEUROTRIAGE_{name.upper()}").count("|") == 4


@pytest.mark.parametrize(
    ("model", "prefix", "name"),
    [(model, prefix, name) for prefix, model in NESTED.items() for name in model.model_fields],
)
def test_every_nested_setting_stands_there_with_its_default(model: BaseModel, prefix, name):
    default = row(f"{prefix.upper()}__{name.upper()}").split("|")[3].strip()
    expected = model.model_fields[name].default
    if isinstance(expected, bool):
        expected = str(expected).lower()
    # Nothing is "none": no path, no name, an empty list.
    assert default.replace(" ", "").strip("`") == (str(expected or "none"))


def without_code(text: str) -> str:
    return re.sub(r"^(    |```).*$", "", text, flags=re.MULTILINE)


def test_every_link_leads_somewhere():
    links = re.findall(r"\]\(([^)\s]+)\)", without_code(README))
    titles = re.findall(r"^#+ (.+)$", README, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
    own = [link for link in links if "://" not in link]
    assert len(own) >= 7
    for link in own:
        assert link[1:] in anchors if link[0] == "#" else (ROOT / link).is_file(), link


def test_every_picture_of_a_page_is_shown():
    for picture in (ROOT / "docs").glob("*.jpg"):
        assert f"](docs/{picture.name})" in README


# Made by whoever follows the README, or by the program, or lying elsewhere.
MADE = (".env", "node.env", ".streamlit/secrets.toml", "runs/", "files/", "storage/", "originals",
        "figshare/", "lgg/", "sartaj/", "nickparvar/", "br35h/")  # fmt: skip
OWN_FOLDERS = "core|pages|docs|train|weights|samples|tests|benchmarks"


def test_every_file_that_is_named_exists():
    quoted = re.findall(r"`([^`\n]+)`", without_code(README))
    paths = [one for one in quoted if re.fullmatch(rf"(?:{OWN_FOLDERS})/[\w./-]*", one)]
    paths += [one for one in quoted if re.fullmatch(r"[\w.-]+\.(?:ya?ml|txt|py|toml)", one)]
    paths += re.findall(r"(?:-r |run )([\w-]+\.(?:txt|py))", README)
    assert len(paths) >= 15
    for path in paths:
        assert path.startswith(MADE) or (ROOT / path).exists(), path


@pytest.mark.parametrize("module", ["core", "train"])
def test_every_command_and_its_options_exist(module):
    app = core_commands if module == "core" else pytest.importorskip("train.cli").app
    known = typer.main.get_command(app).commands
    lines = re.findall(rf"python -m {module} ([^`\n]+)", README)
    assert len(lines) >= 3
    for line in lines:
        name, *arguments = shlex.split(re.sub(r"[\[\]]|\.\.\.", " ", line), comments=True)
        assert name in known, line
        options = {text for one in known[name].params for text in one.opts + one.secondary_opts}
        assert {one for one in arguments if one.startswith("--")} <= options | {"--help"}, line


def test_every_target_of_make_exists():
    rules = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    named = re.findall(r"(?:^    |`)make ([a-z-]+)", README, re.MULTILINE)
    assert len(named) >= 6
    assert set(named) <= set(rules)


def test_the_settings_file_is_added_to_and_never_replaced():
    text = README + (ROOT / "compose.yaml").read_text(encoding="utf-8")
    assert not re.search(r"[^>]> *\.env\b", text)
    assert text.count(">> .env") == 2


def test_the_files_and_addresses_of_compose_are_told():
    compose = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    told = {*re.findall(r"path: (\S+)", compose), *re.findall(r"\$\{(\w+)[:}]", compose)}
    assert {"node.env", "PUBLISH_ADDRESS"} <= told
    assert {one for one in told if one not in README} == set()
