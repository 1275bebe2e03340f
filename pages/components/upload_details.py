"""What the sender says of a batch, typed once for all its files."""

from datetime import date

import streamlit as st

from core.errors import InputError
from core.services.submit import check_details
from core.services.words import REQUESTED_NAMES
from core.types import RequestedPriority, StudyDetails

# MRI of patients began in 1977.
_EARLIEST = date(1977, 1, 1)


def study_details(number: int) -> StudyDetails | None:
    """The details as they are kept; None, with a message, where they cannot be used.

    Args:
        number: of the upload this page is at; the next one begins with empty fields, so that no
            scan is filed under the patient before.
    """

    def common(name: str) -> dict[str, object]:
        return {"key": f"upload-{name}-{number}", "persist_state": "session"}

    with st.container(horizontal=True, key="upload-details"):
        reference = st.text_input(
            "Patient reference",
            placeholder="Pseudonym",
            help="A pseudonym such as P-0172, never a name or a date of birth. Scans with the same "
            "reference and study date become one case. Without a reference every file is a case of "
            "its own.",
            **common("reference"),
        )
        study_date = st.date_input(
            "Study date",
            value=None,
            min_value=_EARLIEST,
            format="YYYY-MM-DD",
            help="Day of the examination. Scans of another day are another case.",
            **common("date"),
        )
        site = st.text_input("Site", placeholder="Where it was made", **common("site"))
        indication = st.text_input(
            "Indication", placeholder="Why it was made", **common("indication")
        )
        requested = st.segmented_control(
            "Requested priority",
            list(RequestedPriority),
            default=RequestedPriority.ROUTINE,
            format_func=REQUESTED_NAMES.__getitem__,
            required=True,
            **common("priority"),
        )
    try:
        return check_details(StudyDetails(reference, study_date, site, indication, requested))
    except InputError as error:
        st.error(str(error), icon=":material/error:")
        return None
