"""A demonstration with two workspaces, and what its visitors do."""

from core.config import DemoRules, Settings
from core.services.submit import Upload, submit
from core.services.worklist import worklist_page
from core.services.workspaces import Workspaces
from core.types import StudyDetails, WorklistQuery
from tests.fakes import FakeEngine, scan_png

DEMO = {"mode": "on", "minutes": 60, "workspaces": 2, "stored_megabytes": 20}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def demonstration(storage, clock, on_delete=lambda: None) -> Workspaces:
    settings = Settings(_env_file=None, storage=storage, demo=DemoRules(**DEMO))
    return Workspaces(settings, FakeEngine, on_delete, clock)


def upload(workspace, data=None):
    return submit(
        workspace.installation,
        workspace.reader,
        [Upload("scan.png", data or scan_png())],
        StudyDetails(patient_reference="P-1"),
    )


def cases(workspace):
    return worklist_page(workspace.installation, WorklistQuery()).rows
