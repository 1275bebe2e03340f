"""An identity planted everywhere in an upload is nowhere in what is kept, shown or exported."""

from __future__ import annotations

import io
import logging
import sqlite3
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pypdf
import pytest
from PIL import Image

from core.services.installation import Installation
from core.services.readers import add_reader
from core.services.report import case_pdf, training_export
from core.services.results import series_results
from core.services.review import DecisionInput, decide, look_again
from core.services.scoring import score_waiting
from core.services.submit import Upload, submit
from core.services.worklist import cases_csv, worklist_csv
from core.types import BatchItem, Reader, StudyDetails, TumourClass, WorklistQuery
from tests import identities
from tests.fakes import FakeEngine, scan_png
from tests.installations import installation_of_pages
from tests.pages.harness import page_of

pytestmark = pytest.mark.slow

NAME = identities.NAME


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    """The one that the pages open too, without a worker."""
    with installation_of_pages(tmp_path / "storage", monkeypatch) as opened:
        yield opened


def uploads() -> list[Upload]:
    """A picture with its metadata, volumes, multi-frame objects, and an archive of a study."""
    picture = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = exif[0x013B] = NAME
    with Image.open(io.BytesIO(scan_png())) as image:
        image.save(picture, "JPEG", exif=exif, comment=NAME.encode())
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.comment = NAME.encode()
        for instance in "12":
            data = identities.identified_dicom(instance, position=(-40, -48, 5 * int(instance)))
            packed.writestr(f"{NAME}/{identities.NUMBER}/IM{instance}", data)
        packed.writestr(f"{NAME}/{NAME}.txt", NAME)
        packed.writestr(f"{NAME}/damaged_{NAME}.dcm", bytes(128) + b"DICM" + NAME.encode() * 9)
    return [
        # No ordinary name either tells that a file does not say who the patient is.
        Upload(f"{NAME}_{identities.BIRTH_DATE}.jpg", picture.getvalue()),
        Upload(f"{NAME}.zip", pictures_alone()),
        Upload(f"{NAME}.dcm", identities.identified_multi_frame()),
        Upload(f"{NAME}.nii.gz", identities.identified_nifti()),
        Upload(f"{NAME}.nii", identities.identified_nifti(version=2, packed=False)),
        Upload(f"{NAME} {identities.BIRTH_DATE}.zip", archive.getvalue()),
        Upload(f"{NAME} broken.dcm", b"DICM" + NAME.encode()),
        Upload(f"{NAME}_{identities.BIRTH_DATE}.zip", archive.getvalue()[:900]),
        Upload(f"{NAME}_packed.zip", packed_with_a_damaged_scan()),
        *(
            Upload(f"{NAME}{ending}", NAME.encode() * 50)
            for ending in (".rar", ".7z", ".dcm.bak", "^X.MR", ".mha", ".nrrd", ".png", ".dcm (1)")
        ),
    ]


def pictures_alone() -> bytes:
    """An archive of nothing but pictures."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr(f"{NAME}/{NAME}.png", scan_png(62))
    return out.getvalue()


def packed_with_a_damaged_scan() -> bytes:
    """An archive of a picture that is read, beside what nobody can tell to be a scan."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr(f"{NAME}/shot.png", scan_png(61))
        packed.writestr(f"{NAME}/{NAME}^X.MR", NAME.encode() * 50)
        packed.writestr(f"{NAME}/inner_{NAME}.zip", b"PK\3\4" + NAME.encode() * 50)
    return out.getvalue()


def traces_everywhere(data: bytes) -> list[str]:
    """Traces in bytes, in what they pack as PDF streams, and in the members of an archive."""
    found = identities.traces_in(data)
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                found += identities.traces_in(name.encode()) + traces_everywhere(archive.read(name))
    if data[:2] == b"\x1f\x8b":
        found += identities.traces_in(zlib.decompressobj(31).decompress(data))
    if data.startswith(b"%PDF"):
        reader = pypdf.PdfReader(io.BytesIO(data))
        found += identities.traces_in(" ".join(p.extract_text() for p in reader.pages).encode())
        found += identities.traces_in(str(reader.metadata).encode())
    return found


def test_nothing_of_an_identity_is_kept_logged_shown_or_exported(
    installation: Installation, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    reader = add_reader(installation, "Ada")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the planted values, as they are made
        files = uploads()
    items: list[BatchItem] = []
    submit(installation, reader, files, StudyDetails(), items.append)
    score_waiting(installation, FakeEngine())
    cases = sorted({item.case_id for item in items if item.case_id is not None})
    received = [item for item in items if item.case_id is not None]
    assert len(received) >= 6, [item.reason for item in items]
    # The page of the session that uploads may show the files' own names; nothing else may.
    assert any(NAME in item.name for item in items)
    assert not [item for item in items if identities.traces_in((item.reason or "").encode())]
    decide(
        installation, reader, cases[0], look_again(installation, reader, cases[0]).summary.version,
        DecisionInput(TumourClass.GLIOMA),
    )  # fmt: skip

    assert traces_in_exports(installation, reader, cases) == []
    assert traces_on_pages(reader, cases) == []
    assert traces_in_database(installation) == []
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(kept) > 10
    for path in kept:
        assert identities.traces_in(str(path.relative_to(tmp_path)).encode()) == []
        assert traces_everywhere(path.read_bytes()) == [], path.relative_to(tmp_path)
    logged = [
        f"{record.name}: {record.getMessage()} {record.exc_text}" for record in caplog.records
    ]
    assert [line for line in [*logged, caplog.text] if identities.traces_in(line.encode())] == []


def traces_in_exports(installation: Installation, reader: Reader, cases: list[int]) -> list[str]:
    exports = [
        worklist_csv(installation, reader, WorklistQuery()),
        cases_csv(installation, reader, cases),
        *(case_pdf(installation, reader, case) for case in cases),
    ]
    archive = io.BytesIO()
    training_export(installation, reader, archive, all_reported=True)
    exports.append(archive.getvalue())
    numbers = [number for (number,) in rows(installation, "SELECT id FROM series")]
    results = [file for number in numbers for file in series_results(installation, number)]
    assert len(results) >= 4
    exports += [file.data for file in results]
    names = [file.name.encode() for file in results]
    return [trace for data in [*exports, *names] for trace in traces_everywhere(data)]


def rows(installation: Installation, query: str) -> list[tuple]:
    path = installation.settings.storage / "neurotriage.db"
    with sqlite3.connect(path) as connection:
        return connection.execute(query).fetchall()


def traces_in_database(installation: Installation) -> list[str]:
    """In every cell of every table; the raw bytes are looked at with the other files."""
    tables = rows(installation, "SELECT name FROM sqlite_master WHERE type = 'table'")
    assert len(tables) > 8
    cells = [row for (name,) in tables for row in rows(installation, f'SELECT * FROM "{name}"')]
    return identities.traces_in(repr(cells).encode())


def traces_on_pages(reader: Reader, cases: list[int]) -> list[str]:
    """In everything that the pages send to a browser."""
    found = []
    places = [("pages/upload.py", None), ("pages/worklist.py", None)]
    places += [("pages/case.py", case) for case in cases]
    for page, case in places:
        app = page_of(reader, page, case=case)
        shown = [str(element.proto) for element in app.main] + [str(app.main), str(app.sidebar)]
        assert len("".join(shown)) > 200
        found += identities.traces_in("".join(shown).encode())
    return found
