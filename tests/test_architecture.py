"""The layers know each other in one direction only; the imports are read, not run."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAX_LINES = 300

BASE = frozenset({"errors", "types", "config"})

# For each part of core the parts of core that it may import, beside itself.
# A part that is not listed is an error: whoever adds one decides here what it may know.
ALLOWED: dict[str, frozenset[str]] = {
    "errors": frozenset(),
    "types": frozenset({"errors"}),
    "config": frozenset({"errors", "node_settings"}),
    "node_settings": frozenset({"errors"}),
    "imaging": BASE,
    "inference": BASE | {"imaging"},
    "triage": BASE | {"imaging", "inference"},
    "store": BASE | {"imaging", "inference", "triage"},
    "jobs": BASE | {"imaging", "inference", "triage", "store"},
    "reports": BASE | {"imaging", "inference", "triage", "store"},
    "services": BASE | {"imaging", "inference", "triage", "store", "jobs", "reports"},
    # The ways in stand outside and know the only door.
    "__main__": BASE | {"cli"},
    "cli": BASE | {"services", "node"},
    "node": BASE | {"services"},
    "__init__": frozenset(),
}
PAGES_MAY_KNOW = BASE | {"services"}
TRAIN_MAY_KNOW = BASE | {"imaging", "inference"}
STREAMLIT_HOMES = ("streamlit_app.py", "pages/")


@dataclass(frozen=True)
class Module:
    """One source file: its path from the project's root, with slashes, and its text."""

    path: str
    source: str

    @property
    def package(self) -> list[str]:
        return self.path.removesuffix(".py").split("/")[:-1]

    @property
    def core_part(self) -> str:
        """`imaging` for core/imaging/raster.py, `types` for core/types.py."""
        return self.path.removesuffix(".py").split("/")[1]


def imports(module: Module) -> Iterator[tuple[int, str]]:
    """Line and absolute dotted name of everything imported, inside functions too.

    `from core import store` gives `core.store`, because what is imported may be a module;
    for a class the last part is one too many, which the rules do not mind.
    """
    for node in ast.walk(ast.parse(module.source, module.path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            start = module.package[: len(module.package) - node.level + 1] if node.level else []
            base = [*start, *([node.module] if node.module else [])]
            for alias in node.names:
                yield node.lineno, ".".join([*base, alias.name])
        elif (
            # importlib.import_module("core.store") and __import__("core.store")
            isinstance(node, ast.Call)
            and ast.unparse(node.func).split(".")[-1] in {"import_module", "__import__"}
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            yield node.lineno, str(node.args[0].value)


def may_import_from_core(module: Module) -> frozenset[str] | None:
    """The parts of core that a module may know; None where no rule names the module."""
    if module.path.startswith("core/"):
        allowed = ALLOWED.get(module.core_part)
        return None if allowed is None else allowed | {module.core_part}
    if module.path.startswith("train/"):
        return TRAIN_MAY_KNOW
    return PAGES_MAY_KNOW


def violations(module: Module) -> Iterator[str]:
    """What a module imports against the rules, and its length."""
    known = may_import_from_core(module)
    if known is None:
        yield f"{module.path}: core/{module.core_part} has no rule in {Path(__file__).name}"
        known = frozenset()
    for line, name in imports(module):
        where = f"{module.path}:{line}: imports {name}"
        top, _, rest = name.partition(".")
        if top == "streamlit" and not module.path.startswith(STREAMLIT_HOMES):
            yield f"{where}, but only streamlit_app.py and pages/ know streamlit"
        elif top == "train" and not module.path.startswith("train/"):
            yield f"{where}, but nothing that serves knows train"
        elif top in {"pages", "streamlit_app"} and not module.path.startswith(STREAMLIT_HOMES):
            yield f"{where}, but nothing knows the pages"
        elif top == "core" and rest.split(".")[0] not in known:
            yield f"{where}, but may know of core only {', '.join(sorted(known)) or 'nothing'}"
    length = len(module.source.splitlines())
    if length >= MAX_LINES:
        yield f"{module.path}: {length} lines, must stay under {MAX_LINES}"


def project_modules(root: Path) -> Iterator[Module]:
    """The project's sources; a folder that does not exist has none."""
    files = [root / "streamlit_app.py"]
    for folder in ("core", "pages", "train"):
        files.extend(sorted((root / folder).rglob("*.py")))
    for file in files:
        if file.exists():
            yield Module(file.relative_to(root).as_posix(), file.read_text(encoding="utf-8"))


def all_violations(modules: Iterable[Module]) -> list[str]:
    return [text for module in modules for text in violations(module)]


def test_the_project_keeps_to_its_layers():
    found = all_violations(project_modules(ROOT))
    assert not found, "\n" + "\n".join(found)


def test_no_two_layers_may_know_each_other():
    for part, allowed in ALLOWED.items():
        for other in allowed:
            assert part not in ALLOWED[other], f"{part} and {other} may import each other"


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("core/imaging/raster.py", "from core.inference.engine import Engine"),
        ("core/imaging/raster.py", "from ..inference import engine"),
        ("core/imaging/raster.py", "from core import store"),
        ("core/imaging/raster.py", "def late():\n    import core.jobs.queue"),
        ("core/imaging/raster.py", "import importlib\nimportlib.import_module('core.store')"),
        ("core/triage/priority.py", "from core.store import repository"),
        ("core/triage/priority.py", "from core.jobs import queue"),
        ("core/jobs/worker.py", "from core.services.submit import submit"),
        ("core/reports/pdf.py", "from core.services import report"),
        ("core/types.py", "from core.imaging import raster"),
        ("core/types.py", "from .imaging.raster import decode"),
        ("core/errors.py", "import core.types"),
        ("core/config.py", "from core.types import Scan"),
        ("core/cli.py", "from core.store import repository"),
        ("core/services/submit.py", "import train.loop"),
        ("core/services/submit.py", "import streamlit as st"),
        ("core/services/submit.py", "from pages.components import banner"),
        ("core/newlayer/thing.py", "x = 1"),
        ("core/newlayer.py", "x = 1"),
        ("train/loop.py", "import streamlit"),
        ("train/loop.py", "from core.store import files"),
        ("pages/upload.py", "from core.inference.engine import Engine"),
        ("pages/components/banner.py", "from core import imaging"),
        ("pages/upload.py", "from train import evaluate"),
        ("streamlit_app.py", "import core.store.database"),
        ("streamlit_app.py", "import core"),
        ("core/imaging/raster.py", "x = 1\n" * MAX_LINES),
        ("pages/upload.py", "x = 1\n" * MAX_LINES),
        ("train/loop.py", "x = 1\n" * MAX_LINES),
    ],
)
def test_a_module_out_of_line_is_found(path, source):
    assert len(all_violations([Module(path, source)])) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (
            "core/imaging/raster.py",
            "import numpy\nfrom core.types import Scan\nfrom . import dicom",
        ),
        ("core/imaging/raster.py", "from core.errors import BadImage\nfrom core.config import S"),
        ("core/inference/engine.py", "from core.imaging import preprocess"),
        ("core/inference/networks/resunet.py", "from ...types import Scan\nfrom .. import weights"),
        ("core/services/submit.py", "from core.jobs import queue\nfrom core.store import files"),
        ("core/__main__.py", "from core.cli import app"),
        ("core/cli.py", "from core.services.analyse import analyse_all"),
        ("core/__init__.py", ""),
        ("train/loop.py", "import train.data\nfrom core.inference.networks import resnet50"),
        ("pages/upload.py", "import streamlit as st\nfrom core.services import submit"),
        ("pages/upload.py", "from core.types import Analysis\nfrom pages.components import banner"),
        ("streamlit_app.py", "import streamlit\nfrom core.config import Settings"),
        ("pages/upload.py", "x = 1\n" * (MAX_LINES - 1)),
        ("core/imaging/raster.py", "import corelib, trainer, streamlit_like"),
    ],
)
def test_a_module_in_line_passes(path, source):
    assert all_violations([Module(path, source)]) == []


def test_sources_are_found_where_they_lie(tmp_path):
    for name in ("core/imaging/raster.py", "train/loop.py", "streamlit_app.py", "benchmarks/x.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    assert [module.path for module in project_modules(tmp_path)] == [
        "streamlit_app.py",
        "core/imaging/raster.py",
        "train/loop.py",
    ]
