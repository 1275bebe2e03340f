"""The container files: linted, and their steps run in a clean folder, as no engine is at hand."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from core.config import Settings
from tests.servers import free_port

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))


def instructions(name: str) -> list[str]:
    joined = DOCKERFILE.replace("\\\n", " ")
    return re.findall(rf"^\s*{name} (.+)$", joined, re.MULTILINE)


def copied() -> list[tuple[list[str], str]]:
    """Sources and target of each COPY from the project, those of the last stage only."""
    lines = DOCKERFILE[DOCKERFILE.rindex("\nFROM") :].splitlines()
    copies = [line.split()[1:] for line in lines if line.startswith("COPY ")]
    ours = [parts for parts in copies if not any(one.startswith("--from") for one in parts)]
    plain = [[one for one in parts if not one.startswith("--")] for parts in ours]
    return [(parts[:-1], parts[-1]) for parts in plain]


def copied_modes() -> set[int | None]:
    """Modes that the copies get; None where they keep those of the checkout."""
    lines = DOCKERFILE[DOCKERFILE.rindex("\nFROM") :].splitlines()
    copies = [line for line in lines if line.startswith("COPY ") and "--from=" not in line]
    modes = [re.search(r"--chmod=([0-7]+) ", line) for line in copies]
    return {mode and int(mode[1], 8) for mode in modes}


def command(name: str) -> list[str]:
    return json.loads(instructions(name)[-1])


def healthcheck() -> list[str]:
    return json.loads(instructions("HEALTHCHECK")[0].partition("CMD ")[2])


def test_hadolint_has_nothing_to_say():
    linter = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if linter is None:
        pytest.skip("hadolint is absent: pip install -r requirements-dev.txt")
    done = subprocess.run([linter, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_what_is_copied_exists_and_is_let_through():
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for sources, _ in copied():
        for source in sources:
            assert (ROOT / source).exists(), source
            assert f"!{source.split('/')[0]}" in ignored
    assert ".streamlit/secrets.toml" in ignored


def test_the_image_runs_without_privileges():
    assert int(instructions("USER")[-1]) > 0


def test_what_is_copied_can_be_read_whatever_its_mode_was():
    # Weights of one's own training may be the owner's alone, who is not the user of the image.
    for mode in copied_modes():
        assert mode is not None
        assert mode & 0o555 == 0o555  # folders need the x
        assert not mode & 0o022


def ours() -> dict[str, dict]:
    return {name: one for name, one in COMPOSE["services"].items() if "build" in one}


def test_the_settings_file_reaches_every_service_of_ours():
    assert set(ours()) == {"app", "worker", "node"}
    for name, service in ours().items():
        files = service["env_file"]
        assert all(one["required"] is False for one in files)
        # The node's own lines go before the common ones.
        expected = [".env", "node.env"] if name == "node" else [".env"]
        assert [one["path"] for one in files] == expected
        # A path of the machine outside must not get into the container.
        assert service["environment"]["NEUROTRIAGE_STORAGE"] == "/storage"
        assert service["environment"]["NEUROTRIAGE_WEIGHTS"] == "/app/weights"
        assert "scans:/storage" in service["volumes"]


def test_the_page_is_published_on_this_machine_alone_unless_told_otherwise():
    (port,) = COMPOSE["services"]["app"]["ports"]
    assert port == "${PUBLISH_ADDRESS:-127.0.0.1}:8501:8501"
    published = {name for name, one in COMPOSE["services"].items() if "ports" in one}
    assert published == {"app", "node"}
    assert COMPOSE["services"]["node"]["profiles"] == ["node"]
    assert "-p 8501" not in (ROOT / "README.md").read_text(encoding="utf-8") + DOCKERFILE


def test_sign_in_can_be_switched_on_in_the_container():
    assert "./.streamlit:/app/.streamlit:ro" in COMPOSE["services"]["app"]["volumes"]
    # What is mounted exists in every checkout: of an absent file an engine would make a folder.
    assert (ROOT / ".streamlit" / "config.toml").is_file()
    assert "authlib" in (ROOT / "requirements-server.txt").read_text(encoding="utf-8")
    assert "requirements-server.txt" in DOCKERFILE


def test_compose_sets_what_the_program_knows():
    known = {f"NEUROTRIAGE_{name.upper()}" for name in Settings.model_fields}
    for name, service in COMPOSE["services"].items():
        given = service.get("environment", {})
        ours = {key for key in given if key.startswith("NEUROTRIAGE_")}
        assert ours <= known, name
    assert COMPOSE["services"]["worker"]["deploy"]["replicas"] == 2
    assert COMPOSE["services"]["app"]["environment"]["NEUROTRIAGE_WORKER"] == "external"


def test_compose_holds_no_password():
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    passwords = re.findall(r"(?:PASSWORD: |neurotriage:)(\S+?)(?:@|\s)", text)
    assert len(passwords) >= 2
    assert all(one.startswith("${POSTGRES_PASSWORD:?") for one in passwords)


def test_temporary_files_cannot_take_all_of_the_memory():
    for name, service in ours().items():
        assert service["tmpfs"] == ["/tmp:size=1g"], name


@pytest.mark.parametrize("service", ["worker", "node"])
def test_commands_of_the_services_exist(service):
    arguments = COMPOSE["services"][service]["command"]
    assert arguments[:3] == ["python", "-m", "core"]
    done = subprocess.run(
        [sys.executable, "-m", "core", arguments[3], "--help"], cwd=ROOT, capture_output=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_what_is_copied_serves_from_a_read_only_folder_without_capabilities(tmp_path):
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("setpriv is absent: apt install util-linux")
    app, storage = tmp_path / "app", tmp_path / "storage"
    for sources, target in copied():
        for source in sources:
            goal = app / source if target == "./" else app / target
            goal.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, goal, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, goal)
    storage.mkdir()
    # As the Dockerfile sets them; where it does not, modes stay those of the checkout.
    (mode,) = copied_modes()
    for path in [*app.rglob("*"), app]:
        path.chmod((mode or path.stat().st_mode) & ~0o222)
    # Root reads and writes everywhere, unless it gives up its capabilities.
    plain = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    assert subprocess.run([*plain, "touch", app / "new"], capture_output=True).returncode != 0

    port, python, log = free_port(), Path(sys.executable), tmp_path / "log.txt"
    program, *arguments = command("CMD")
    arguments = [a.replace("8501", str(port)).replace("0.0.0.0", "127.0.0.1") for a in arguments]
    environment = {
        "PATH": f"{python.parent}:/usr/bin:/bin",
        "HOME": "/nonexistent",
        "NEUROTRIAGE_STORAGE": str(storage),
    }
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*plain, python.parent / program, *arguments, "--server.headless", "true"],
            cwd=app, env=environment, stdout=out, stderr=out,
        )  # fmt: skip
    try:
        _, *check = [part.replace("8501", str(port)) for part in healthcheck()]
        until = time.monotonic() + 120
        while (done := subprocess.run([python, *check], capture_output=True)).returncode:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, done.stderr
            time.sleep(0.5)
    finally:
        process.terminate()
        process.wait(30)
