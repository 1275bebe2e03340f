"""The README lists every setting with its default."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from core.config import PriorityRules, Settings, UploadLimits

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
NESTED = {"priority": PriorityRules, "upload": UploadLimits}


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
    assert float(default.replace(" ", "")) == model.model_fields[name].default
