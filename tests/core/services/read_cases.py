"""Cases with scans that the fake engine has seen, and readers' decisions about them."""

from core.services.review import DecisionInput, decide, look_again
from core.types import StudyDetails, TumourClass
from tests.fakes import scan_png
from tests.installations import send_case

GLIOMA, MENINGIOMA, NONE = TumourClass.GLIOMA, TumourClass.MENINGIOMA, TumourClass.NO_TUMOR


def case_of(installation, reader, *pictures, score=True, **details):
    """A new case with these scans; its number."""
    sent = pictures or (scan_png(),)
    return send_case(installation, reader, *sent, details=StudyDetails(**details), score=score)


def read_as(installation, reader, case_id, finding, **more):
    version = look_again(installation, reader, case_id).summary.version
    return decide(installation, reader, case_id, version, DecisionInput(finding, **more))
