"""The requirements are pinned, and give users of a CPU the CPU build.

The resolvers are asked on stand-ins: an index on this machine that offers every pinned package as
an empty wheel, torch with a CUDA library behind it, and in place of PyTorch's wheel pages two pages
with the CPU builds. So the answer depends on the requirements file and the resolver alone.
"""

import functools
import json
import os
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(ROOT.glob("requirements*.txt"))
WHEEL_PAGES = "https://download.pytorch.org/whl/cpu/"
PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:\[[a-z,]+\])?==(?P<version>[0-9][A-Za-z0-9.]*)")
CUDA_LIBRARY = "nvidia-standin"


def lines(file: Path) -> list[str]:
    """The lines of a requirements file that say something."""
    stripped = (line.partition(" #")[0].strip() for line in file.read_text().splitlines())
    return [line for line in stripped if line and not line.startswith("#")]


def pins(file: Path) -> dict[str, str]:
    found = filter(None, (PIN.fullmatch(line) for line in lines(file)))
    return {match["name"]: match["version"] for match in found}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_requirement_is_pinned(file):
    loose = [line for line in lines(file) if not line.startswith("-") and not PIN.fullmatch(line)]
    assert loose == []
    assert pins(file)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_files_use_no_index_but_the_default_one(file):
    options = [line.split()[0] for line in lines(file) if line.startswith("-")]
    assert set(options) <= {"-r", "--find-links"}


def test_no_package_is_pinned_twice():
    names = [name for file in FILES for name in pins(file)]
    assert len(names) == len(set(names))


def test_the_checkout_runs_what_is_pinned():
    installed = {}
    for file in FILES:
        for name in pins(file):
            installed[name] = metadata.version(name).partition("+")[0]
    assert installed == {name: version for file in FILES for name, version in pins(file).items()}


def test_opencv_is_installed_once_and_without_a_screen():
    names = {dist.metadata["Name"].lower() for dist in metadata.distributions()}
    opencv = {name for name in names if name.startswith("opencv-")}
    assert opencv == {"opencv-python-headless"}


def write_wheel(folder: Path, name: str, version: str, requires: tuple[str, ...] = ()) -> None:
    """An empty wheel with proper metadata."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{name.replace('-', '_')}-{version}"
    about = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {r}" for r in requires)]
    files = {
        f"{stem}.dist-info/METADATA": "\n".join(["Metadata-Version: 2.1", *about, ""]),
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: standin\n"
        "Root-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = f"{stem}.dist-info/RECORD"
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
        wheel.writestr(record, "".join(f"{path},,\n" for path in [*files, record]))


@dataclass
class StandIn:
    """A server on this machine with an index, wheel pages and a record of what was asked for."""

    root: Path
    url: str = ""
    asked: list[str] = field(default_factory=list)

    @property
    def index(self) -> str:
        return f"{self.url}/simple/"

    @property
    def pages(self) -> str:
        return f"{self.url}/whl/cpu/"

    def requirements(self) -> Path:
        """requirements.txt with PyTorch's pages swapped for the stand-ins."""
        text = (ROOT / "requirements.txt").read_text()
        assert WHEEL_PAGES in text
        copy = self.root / "requirements.txt"
        copy.write_text(text.replace(WHEEL_PAGES, self.pages))
        return copy


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[StandIn]:
    site = StandIn(tmp_path)

    class Handler(SimpleHTTPRequestHandler):
        # Both resolvers keep the connection when the server lets them, which is quicker.
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            site.asked.append(self.path)

    pinned = pins(ROOT / "requirements.txt")
    torch, vision = pinned["torch"], pinned["torchvision"]
    for name, version in pinned.items():
        requires = {"torch": (CUDA_LIBRARY,), "torchvision": (f"torch=={torch}",)}.get(name, ())
        write_wheel(tmp_path / "simple" / name, name, version, requires)
    write_wheel(tmp_path / "simple" / CUDA_LIBRARY, CUDA_LIBRARY, "1.0")
    write_wheel(tmp_path / "whl/cpu/torch", "torch", f"{torch}+cpu")
    write_wheel(
        tmp_path / "whl/cpu/torchvision", "torchvision", f"{vision}+cpu", (f"torch=={torch}",)
    )
    # Neighbours of the pinned versions, as the real pages have them.
    write_wheel(tmp_path / "whl/cpu/torch", "torch", "99.0+cpu")
    write_wheel(tmp_path / "whl/cpu/torchvision", "torchvision", "99.0+cpu")

    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(tmp_path))
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def uv() -> str:
    """The program; some platforms have no wheel of it."""
    module = pytest.importorskip("uv", reason="uv is not installed: its resolution is not checked")
    return module.find_uv_bin()


def run(*command: object, cwd: Path) -> str:
    """Standard output of a resolver that knows no settings but its arguments."""
    env = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("PIP_", "UV_")) and not key.lower().endswith("_proxy")
    }
    env |= {"PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1"}
    env["UV_CACHE_DIR"] = str(cwd / "cache")
    command = [str(part) for part in command]
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def expected() -> dict[str, str]:
    """The pins, torch and torchvision as CPU builds, and nothing of CUDA."""
    cpu = {"torch", "torchvision"}
    return {
        name: f"{version}+cpu" if name in cpu else version
        for name, version in pins(ROOT / "requirements.txt").items()
    }


def resolved(output: str) -> dict[str, str]:
    found = re.findall(r"^\s*\+?\s*([A-Za-z0-9._-]+)==([A-Za-z0-9.+]+)$", output, re.MULTILINE)
    return dict(found)


def test_uv_compiles_to_the_cpu_builds(stand_in, uv):
    output = run(
        uv, "pip", "compile", "--no-header", "--no-annotate", "--python",
        sys.executable, "--default-index", stand_in.index, stand_in.requirements(),
        cwd=stand_in.root,
    )  # fmt: skip
    assert resolved(output) == expected()


def test_uv_installs_the_cpu_builds(stand_in, uv):
    environment = stand_in.root / "environment"
    run(uv, "venv", "--python", sys.executable, environment, cwd=stand_in.root)
    output = run(
        uv, "pip", "install", "--dry-run", "--python", environment,
        "--default-index", stand_in.index, "-r", stand_in.requirements(),
        cwd=stand_in.root,
    )  # fmt: skip
    assert resolved(output) == expected()


def test_uv_asks_the_wheel_pages_for_nothing_else(stand_in, uv):
    run(
        uv, "pip", "compile", "--python", sys.executable,
        "--default-index", stand_in.index, stand_in.requirements(),
        cwd=stand_in.root,
    )  # fmt: skip
    folders = {path.split("/")[3] for path in stand_in.asked if path.startswith("/whl/cpu/")}
    assert folders == {"torch", "torchvision"}
    # The others came from the index: an extra index would have been asked for them.
    assert {"/simple/numpy/", "/simple/streamlit/"} <= set(stand_in.asked)


def test_uv_takes_the_general_build_without_the_pages(stand_in, uv):
    """The stand-ins can fail: without the two lines the general torch brings its CUDA library."""
    bare = stand_in.root / "bare.txt"
    bare.write_text(
        "\n".join(f"{name}=={version}" for name, version in pins(ROOT / "requirements.txt").items())
    )
    output = run(
        uv, "pip", "compile", "--no-header", "--no-annotate", "--python",
        sys.executable, "--default-index", stand_in.index, bare,
        cwd=stand_in.root,
    )  # fmt: skip
    assert resolved(output) == pins(ROOT / "requirements.txt") | {CUDA_LIBRARY: "1.0"}


def test_pip_takes_the_cpu_builds(stand_in):
    report = stand_in.root / "report.json"
    run(
        sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet",
        "--report", report, "--index-url", stand_in.index, "-r", stand_in.requirements(),
        cwd=stand_in.root,
    )  # fmt: skip
    items = [item["metadata"] for item in json.loads(report.read_text())["install"]]
    assert {item["name"]: item["version"] for item in items} == expected()
