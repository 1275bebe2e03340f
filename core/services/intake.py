"""A stored file becomes scans of a case: new ones, or some that are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from core.imaging.dicom.values import made_uid
from core.services.details import contradictions
from core.services.installation import Installation, now
from core.services.ranking import ONE_LINE_SECONDS, rerank
from core.services.receipt import ReceivedFile
from core.services.same_slice import other_figures, shows_another
from core.store import audit, batches, images, series, slices, studies
from core.store.rows import folded_reference
from core.store.series import Origin
from core.store.study_keys import key_of_study
from core.triage.priority import case_priority
from core.triage.queueing import queue_rank, rate_per_second
from core.triage.volumes import series_name
from core.triage.words import REQUESTED_NAMES
from core.types import (
    BatchItem,
    CaseStatus,
    ItemOutcome,
    Reader,
    RequestedPriority,
    SeriesFacts,
    StudyDetails,
)

_DICOM = "DICOM"
_OTHER_PATIENT = (
    "Files of the same study (Study Instance UID) name another patient: see case {}. "
    "Please check whose scans these are."
)
_OTHER_PICTURE = (
    "Another picture has the same SOP Instance UID and was kept, too: please check the files."
)


@dataclass(frozen=True, eq=False)
class Intake:
    """The way of stored files to their cases, within one transaction.

    Attributes:
        session: the transaction.
        installation: for the points of the priority and the pseudonyms.
        reader: the account that they come from.
        details: what the sender says, checked.
        batch_id: the upload; None for what comes over the network.
    """

    session: Session
    installation: Installation
    reader: Reader
    details: StudyDetails
    batch_id: int | None = None

    @property
    def origin(self) -> Origin:
        """How the files come."""
        return "node" if self.batch_id is None else "upload"

    def link(self, name: str, stored_name: str, file: ReceivedFile) -> BatchItem:
        """Make a file's images scans of their case: a slice each, or the one picture.

        Rows are locked in the order that all transactions keep: the images, then the case.

        Args:
            name: the file's name, cleaned.
            stored_name: the name that the list of the upload keeps.
            file: what was stored.

        Returns:
            What became of it.
        """
        session, at = self.session, now()
        rules = self.installation.settings.priority
        found = images.find_or_create_images(
            session,
            content_key=file.content_key,
            frames=len(file.slices),
            source_format=file.source_format,
            height=file.height,
            width=file.width,
            spacing=[one.spacing_mm for one in file.slices],
            queue_rank=queue_rank(self.details.requested, at, rules),
            now=at,
        )
        cases = images.studies_of_image(session, found[0][0])
        key, others = self._key(file)
        # Locked from here on: of two that bring the same slice one is the first.
        case_id, made = self._case(key, file, cases, at)
        said = []
        if made and others:
            file = _noticed(file, _OTHER_PATIENT.format(_numbers(others)))
            said.append(_OTHER_PATIENT.format(_numbers(others)))
            self._warn(others, case_id, at)
        scans, made_series, reused = self._scans(case_id, [number for number, _ in found], file)
        if reused:
            said.append(_OTHER_PICTURE)
        linked = self._link_scans(case_id, scans, at)
        added = any(new for _, new in linked)
        if not all(new for _, new in linked):
            slices.drop_unused(session, [image_id for image_id, new in found if new])
            if figures := self._other_figures(linked, file):
                file = _noticed(file, figures)
                said.append(figures)
        if not added:
            series.drop(session, made_series)
        reasons = _known_reasons(case_id, added, cases)
        outcome = ItemOutcome.LINKED if reasons else ItemOutcome.RECEIVED
        reasons += said
        if not made:
            reasons += contradictions(studies.case_details(session, case_id), self.details)
        if added and self._status(case_id, at) is CaseStatus.REPORTED:
            studies.reopen(session, case_id, rate_per_second(rules), at)
            reasons.append(f"Case #{case_id} was reported already: the new scan reopened it.")
        rerank(session, self.installation.settings, case_id, at)
        reason = " ".join([*reasons, *file.notices]) or None
        self._log(case_id, file, added, at)
        if self.batch_id is not None:
            batches.add_item(session, self.batch_id, stored_name, outcome, reason, linked[0][0])
        return BatchItem(name, outcome, reason, case_id)

    def _key(self, file: ReceivedFile) -> tuple[str | None, tuple[int, ...]]:
        """What makes the file's case one, if anything; cases of other patients in its study."""
        details, facts = self.details, file.facts
        if facts is not None and file.source_format == _DICOM:
            # The same whether the files keep their UIDs or not: the study is one case anyway.
            study_uid = self.installation.pseudonyms.uid(facts.study_uid)
            patient, number = facts.patient_reference, file.patient_number
            return key_of_study(self.session, study_uid, patient, number)
        if details.patient_reference is not None:
            reference = folded_reference(details.patient_reference)
            return f"reference:{reference}|{details.study_date or ''}", ()
        return None, ()

    def _case(
        self, key: str | None, file: ReceivedFile, cases: Sequence[int], at: float
    ) -> tuple[int, bool]:
        """The case that the file belongs to, locked, and whether it was made for it."""
        details, facts = self.details, file.facts
        if key is None and cases:
            # Nothing says that it is another study: one case is enough to read.
            studies.supplement(self.session, cases[0], details)
            return cases[0], False
        if facts is not None and file.source_format == _DICOM:
            reference = details.patient_reference or facts.patient_reference
            details = replace(details, patient_reference=reference)
        rules = self.installation.settings.priority
        return studies.find_or_create_study(
            self.session,
            study_key=key or f"image:{file.content_key}",
            details=details,
            priority=case_priority(
                [None], failed=0, waiting=1, requested=details.requested, rules=rules
            ),
            rate_per_second=rate_per_second(rules),
            now=at,
        )

    def _warn(self, others: Sequence[int], case_id: int, at: float) -> None:
        """Have the history of other cases say that their study has another patient, too."""
        for number in others:
            audit.log_action(
                self.session, action="upload", text=_OTHER_PATIENT.format(f"#{case_id}"), now=at,
                user_id=self.reader.id, study_id=number,
            )  # fmt: skip

    def _scans(
        self, case_id: int, image_ids: Sequence[int], file: ReceivedFile
    ) -> tuple[list[images.NewScan], list[int], bool]:
        """Scans for a file's images, series made for them; whether their UID is another's, too."""
        volume = 0
        last: SeriesFacts | None = None
        new, made = [], []
        for image_id, one in zip(image_ids, file.slices, strict=True):
            facts = one.facts
            if facts is None:
                new.append(images.NewScan(image_id))
                continue
            if last is None or (facts.stack, facts.measured) != (last.stack, last.measured):
                volume, created = series.find_or_create_series(
                    self.session, case_id, facts,
                    source_format=file.source_format, origin=self.origin,
                )  # fmt: skip
                made += [volume] * created
                last = facts
            scan = images.NewScan(
                image_id, volume, one.place, facts.instance_uid, facts.taken, one.position_mm
            )
            new.append(scan)
        if file.source_format != _DICOM or not self._shows_another(case_id, new, file):
            return new, made, False
        # Under a name of their own they lie beside what is there.
        own = [made_uid(f"{one.instance_uid} {file.content_key}".encode()) for one in new]
        new = [replace(one, instance_uid=uid) for one, uid in zip(new, own, strict=True)]
        return new, made, True

    def _shows_another(
        self, case_id: int, new: Sequence[images.NewScan], file: ReceivedFile
    ) -> bool:
        """Whether a file shows other pictures than the slices with its UID that are there."""
        wanted = {one.image_id: (one.instance_uid, one.at_mm) for one in new}
        known = slices.received_before(self.session, case_id, wanted)
        there = images.get_scans(self.session, known.values())
        pairs = [
            (there[known[one.image_id]], frame)
            for frame, one in enumerate(new)
            if one.image_id in known and there[known[one.image_id]].image_id != one.image_id
        ]
        _, number = new[0].taken or (0, 0)
        files = self.installation.files
        return bool(pairs) and shows_another(files, pairs, file.content_key, number)

    def _other_figures(self, linked: Sequence[tuple[int, bool]], file: ReceivedFile) -> str | None:
        """What a file says otherwise of slices that are there; their series say so from then on."""
        known = {
            scan_id: one for (scan_id, new), one in zip(linked, file.slices, strict=True) if not new
        }
        there = images.get_scans(self.session, known)
        notice = other_figures((scan, known[scan_id]) for scan_id, scan in there.items())
        volumes = {scan.series_id for scan in there.values() if scan.series_id is not None}
        for series_id in sorted(volumes if notice else ()):
            series.add_notice(self.session, series_id, notice)
        return notice

    def _link_scans(
        self, case_id: int, new: Sequence[images.NewScan], at: float
    ) -> list[tuple[int, bool]]:
        """The number of each scan, and whether it is new to the case."""
        linked = images.link_scans(self.session, case_id, new, at)
        if any(made for _, made in linked):
            for volume in sorted({one.series_id for one in new if one.series_id is not None}):
                slices.part_volumes(self.session, volume)
        return linked

    def _status(self, case_id: int, at: float) -> CaseStatus:
        rules = self.installation.settings.priority
        return studies.get_case(
            self.session, case_id, at, rate_per_second(rules), rules.amber_share
        ).status

    def _log(self, case_id: int, file: ReceivedFile, added: bool, at: float) -> None:
        what = f"{file.source_format}, {file.width} × {file.height} pixels"
        what += ", from the network" if self.batch_id is None else f", upload {self.batch_id}"
        if self.details.requested is not RequestedPriority.ROUTINE:
            what += f", requested as {REQUESTED_NAMES[self.details.requested].lower()}"
        told = {"action": "upload", "now": at, "user_id": self.reader.id, "study_id": case_id}
        if file.facts is None:
            text = f"{'Scan' if added else 'Known scan'} received: {what}"
            audit.log_action(self.session, text=". ".join([text, *file.notices]), **told)
            return
        for facts in _volumes(file):
            slices = "Slices" if added else "Known slices"
            named = series_name(facts.sequence, facts.plane, facts.number)
            text = f"{slices} received: {named}, {what}"
            text = ". ".join([text, *facts.notices])
            audit.log_once(self.session, text=text, since=at - ONE_LINE_SECONDS, **told)


def _noticed(file: ReceivedFile, notice: str) -> ReceivedFile:
    """A file whose series say something more."""
    noticed = [
        one if one.facts is None
        else replace(one, facts=replace(one.facts, notices=(*one.facts.notices, notice)))
        for one in file.slices
    ]  # fmt: skip
    return replace(file, slices=tuple(noticed))


def _numbers(cases: Sequence[int]) -> str:
    return ", ".join(f"#{number}" for number in cases)


def _volumes(file: ReceivedFile) -> list[SeriesFacts]:
    """The facts of each volume in a file."""
    found = {one.facts.stack: one.facts for one in file.slices if one.facts is not None}
    return list(found.values())


def _known_reasons(case_id: int, added: bool, cases: Sequence[int]) -> list[str]:
    """Where the same picture was before, in words; empty where it is new."""
    if not added:
        return [f"Already received as case #{case_id}."]
    if cases:
        return [f"The same picture is in case {_numbers(cases)} too; it is not scored twice."]
    return []
