"""The archive that results go to: asked for a study, and given objects, by DICOM or by DICOMweb."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import requests
from dicomweb_client import DICOMwebClient
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, sop_class
from pynetdicom.association import Association

from core.config import NodeSettings
from core.errors import NeuroTriageError
from core.node.patient import STUDY_ATTRIBUTES
from core.node.tls import client_context

_CONNECT_SECONDS = 10.0
_ANSWER_SECONDS = 60.0
_WARNINGS = (0xB000, 0xB006, 0xB007)  # stored, though not as it was sent


class ArchiveError(NeuroTriageError):
    """The archive cannot be asked, or does not take an object. The text names no patient."""


class Archive(Protocol):
    """Where studies come from and results go."""

    def study(self, study_uid: str) -> Dataset | None:
        """The attributes of a study and its patient; None where the archive does not know it.

        Raises:
            ArchiveError: the archive cannot be asked, or gives more than one study.
        """

    def store(self, datasets: Sequence[Dataset]) -> None:
        """Have objects stored.

        Raises:
            ArchiveError: the archive does not take one of them, or cannot be reached.
        """


def open_archive(settings: NodeSettings) -> Archive:
    """The archive that the settings name; nothing is sent yet.

    Raises:
        ValueError: they name none.
        OSError: a certificate cannot be read.
    """
    if settings.archive_url:
        return WebArchive(settings)
    if settings.archive_host:
        return DimseArchive(settings)
    raise ValueError("no archive is named")


class DimseArchive:
    """By C-FIND (study root) and C-STORE."""

    def __init__(self, settings: NodeSettings) -> None:
        self._title = settings.archive_ae_title
        self._address = settings.archive_host, settings.archive_port
        self._own_title = settings.ae_title
        self._tls = client_context(settings) if settings.archive_tls else None

    def study(self, study_uid: str) -> Dataset | None:
        """As the protocol says."""
        model = sop_class.StudyRootQueryRetrieveInformationModelFind
        question = Dataset()
        question.QueryRetrieveLevel = "STUDY"
        question.StudyInstanceUID = study_uid
        for keyword in STUDY_ATTRIBUTES:
            setattr(question, keyword, "")
        entity = self._entity()
        entity.add_requested_context(model)
        found = []
        with self._association(entity) as association:
            for status, answer in association.send_c_find(question, model):
                code = status.get("Status")
                if code in (0xFF00, 0xFF01) and answer is not None:
                    found.append(answer)
                elif code != 0x0000:
                    raise ArchiveError(f"The archive does not answer questions {_code(code)}.")
        return _only(found, study_uid)

    def store(self, datasets: Sequence[Dataset]) -> None:
        """As the protocol says."""
        entity = self._entity()
        for uid in sorted({dataset.SOPClassUID for dataset in datasets}):
            entity.add_requested_context(uid, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
        with self._association(entity) as association:
            for dataset in datasets:
                try:
                    answer = association.send_c_store(dataset)
                except (ValueError, RuntimeError):  # no context accepted; the association is over
                    raise ArchiveError(f"The archive takes no {_kind(dataset)}.") from None
                code = answer.get("Status")
                if code not in (0x0000, *_WARNINGS):
                    raise ArchiveError(
                        f"The archive did not take the {_kind(dataset)} {_code(code)}."
                    )

    def _entity(self) -> AE:
        entity = AE(ae_title=self._own_title)
        entity.connection_timeout = entity.acse_timeout = _CONNECT_SECONDS
        entity.dimse_timeout = entity.network_timeout = _ANSWER_SECONDS
        return entity

    @contextmanager
    def _association(self, entity: AE) -> Iterator[Association]:
        host, port = self._address
        association = entity.associate(
            host,
            port,
            ae_title=self._title,
            tls_args=None if self._tls is None else (self._tls, host),
        )
        if not association.is_established:
            where = f"The archive {self._title} at {host}:{port}"
            if association.is_rejected:
                raise ArchiveError(f"{where} refuses this program.")
            if association.rejected_contexts:
                raise ArchiveError(f"{where} takes nothing of this kind.")
            raise ArchiveError(f"{where} cannot be reached.")
        keep_answers(association)
        try:
            yield association
        finally:
            if association.is_established:
                association.release()


class _Session(requests.Session):
    """Takes the settings' certificates before those that the environment names."""

    def merge_environment_settings(
        self, url: str, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> dict[str, Any]:
        own = self.verify if verify is None else verify
        return super().merge_environment_settings(url, proxies, stream, own, cert)


class WebArchive:
    """By QIDO-RS and STOW-RS."""

    def __init__(self, settings: NodeSettings) -> None:
        session = _Session()
        if settings.archive_user:
            session.auth = settings.archive_user, settings.archive_password.get_secret_value()
        client_context(settings)  # so that a file that cannot be read is told at once
        if settings.tls_certificate is not None:
            paths = (settings.tls_certificate, settings.tls_key or settings.tls_certificate)
            session.cert = tuple(map(str, paths))
        if settings.archive_ca is not None:
            session.verify = str(settings.archive_ca)
        self._client = DICOMwebClient(
            settings.archive_url, session=session, timeout=(_CONNECT_SECONDS, _ANSWER_SECONDS)
        )
        # It is tried again later anyway, and other results need not wait for that.
        self._client.set_http_retry_params(retry=False)

    def study(self, study_uid: str) -> Dataset | None:
        """As the protocol says."""
        with _web_errors():
            answers = self._client.search_for_studies(
                search_filters={"StudyInstanceUID": study_uid}, fields=list(STUDY_ATTRIBUTES)
            )
        return _only([Dataset.from_json(answer) for answer in answers], study_uid)

    def store(self, datasets: Sequence[Dataset]) -> None:
        """As the protocol says."""
        with _web_errors():
            answer = self._client.store_instances(datasets)
        if answer.get("FailedSOPSequence"):
            code = answer.FailedSOPSequence[0].get("FailureReason")
            raise ArchiveError(f"The archive did not take an object {_code(code)}.")
        taken = {item.ReferencedSOPInstanceUID for item in answer.get("ReferencedSOPSequence", ())}
        if missing := sum(dataset.SOPInstanceUID not in taken for dataset in datasets):
            raise ArchiveError(f"The archive did not confirm {missing} objects.")


def keep_answers(association: Association) -> None:
    """Have an association that only asks leave its answers to whoever waits for them.

    pynetdicom's own thread looks for requests in the same queue, and at a bad moment swallows the
    answer: it is taken as waiting when it is about to look once more.
    """
    wait_for_answer = association.dimse.get_msg
    association.dimse.get_msg = lambda block=False: (
        wait_for_answer(block=True) if block else (None, None)
    )


@contextmanager
def _web_errors() -> Iterator[None]:
    """What went wrong, without the address, which names a study."""
    try:
        yield
    except requests.HTTPError as error:
        code = "no status" if error.response is None else error.response.status_code
        raise ArchiveError(f"The archive's web service answered with an error ({code}).") from None
    except requests.exceptions.JSONDecodeError:
        raise ArchiveError("The archive's web service gave an answer that is none.") from None
    except requests.RequestException as error:
        raise ArchiveError(
            f"The archive's web service cannot be reached ({type(error).__name__})."
        ) from None
    except ValueError:
        raise ArchiveError("The archive's web service gave an answer that is none.") from None


def _only(found: Sequence[Dataset], study_uid: str) -> Dataset | None:
    # Some archives answer a key that they do not know with everything they have.
    matching = [study for study in found if study.get("StudyInstanceUID") == study_uid]
    if len(matching) < len(found) or len(matching) > 1:
        raise ArchiveError(f"The archive answered with {len(found)} studies instead of one.")
    return matching[0] if matching else None


def _code(code: int | None) -> str:
    return "(no answer)" if code is None else f"(status 0x{code:04X})"


def _kind(dataset: Dataset) -> str:
    return {"SEG": "segmentation", "SR": "report"}.get(dataset.get("Modality", ""), "object")
