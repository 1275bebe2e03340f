"""A stored picture becomes a scan of a case: a new one, or one that is known."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from core.config import Settings
from core.services.details import contradictions
from core.services.installation import now
from core.services.ranking import rerank
from core.store import audit, batches, images, studies
from core.store.rows import folded_reference
from core.triage.priority import case_priority
from core.triage.queueing import queue_rank, rate_per_second
from core.triage.words import REQUESTED_NAMES
from core.types import (
    BatchItem,
    CaseStatus,
    ItemOutcome,
    Reader,
    RequestedPriority,
    Scan,
    StudyDetails,
)


@dataclass(frozen=True, eq=False)
class Intake:
    """The way of stored pictures to their cases, within one transaction.

    Attributes:
        session: the transaction.
        settings: for the points of the priority.
        reader: the account that uploads.
        batch_id: the upload.
        details: what the sender says, checked.
    """

    session: Session
    settings: Settings
    reader: Reader
    batch_id: int
    details: StudyDetails

    def link(self, name: str, content_key: str, scan: Scan) -> BatchItem:
        """Make a picture a scan of its case.

        Rows are locked in the order that all transactions keep: the image, then the case.

        Args:
            name: the file's name, cleaned.
            content_key: its bytes in the file store, where they are already.
            scan: the same, decoded.
        """
        session, at = self.session, now()
        height, width = scan.size
        image_id, _ = images.find_or_create_image(
            session,
            content_key=content_key,
            source_format=scan.source_format,
            height=height,
            width=width,
            spacing=None,
            queue_rank=queue_rank(self.details.requested, at, self.settings.priority),
            now=at,
        )
        cases = images.studies_of_image(session, image_id)
        case_id, made = self._case(content_key, cases, at)
        scan_id, added = images.link_scan(session, case_id, image_id, at)
        reasons = _known_reasons(case_id, added, cases)
        outcome = ItemOutcome.LINKED if reasons else ItemOutcome.RECEIVED
        if not made:
            reasons += contradictions(studies.case_details(session, case_id), self.details)
        if added and self._status(case_id, at) is CaseStatus.REPORTED:
            studies.reopen(session, case_id, rate_per_second(self.settings.priority), at)
            reasons.append(f"Case #{case_id} was reported already: the new scan reopened it.")
        rerank(session, self.settings, case_id, at)
        reason = " ".join(reasons) or None
        batches.add_item(session, self.batch_id, name, outcome, reason, scan_id)
        self._log(case_id, scan, added, at)
        return BatchItem(name, outcome, reason, case_id)

    def _case(self, content_key: str, cases: list[int], at: float) -> tuple[int, bool]:
        """The case that the picture belongs to, and whether it was made for it."""
        reference = self.details.patient_reference
        if reference is None and cases:
            # Nothing says that it is another study: one case is enough to read.
            studies.supplement(self.session, cases[0], self.details)
            return cases[0], False
        if reference is None:
            key = f"image:{content_key}"
        else:
            key = f"reference:{folded_reference(reference)}|{self.details.study_date or ''}"
        rules = self.settings.priority
        return studies.find_or_create_study(
            self.session,
            study_key=key,
            details=self.details,
            priority=case_priority(
                [None], failed=0, waiting=1, requested=self.details.requested, rules=rules
            ),
            rate_per_second=rate_per_second(rules),
            now=at,
        )

    def _status(self, case_id: int, at: float) -> CaseStatus:
        rules = self.settings.priority
        return studies.get_case(
            self.session, case_id, at, rate_per_second(rules), rules.amber_share
        ).status

    def _log(self, case_id: int, scan: Scan, added: bool, at: float) -> None:
        height, width = scan.size
        text = f"{'Scan' if added else 'Known scan'} received: {scan.source_format}, "
        text += f"{width} × {height} pixels, upload {self.batch_id}"
        if self.details.requested is not RequestedPriority.ROUTINE:
            text += f", requested as {REQUESTED_NAMES[self.details.requested].lower()}"
        audit.log_action(
            self.session,
            action="upload",
            text=text,
            now=at,
            user_id=self.reader.id,
            study_id=case_id,
        )


def _known_reasons(case_id: int, added: bool, cases: list[int]) -> list[str]:
    """Where the same picture was before, in words; empty where it is new."""
    if not added:
        return [f"Already received as case #{case_id}."]
    if cases:
        numbers = ", ".join(f"#{number}" for number in cases)
        return [f"The same picture is in case {numbers} too; it is not scored twice."]
    return []
