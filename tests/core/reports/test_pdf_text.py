"""Typed text in a report: any alphabet, any length, never markup."""

import re

import pytest

from core.types import Note, Reader, StudyDetails
from tests.core.reports.pdf_reports import ANNA, BORIS, NOON, decision, read, report, text_of


@pytest.mark.parametrize("name", ["Ödegård Łuczak", "Παπαδόπουλος", "Щербаков", "Nguyễn Thị"])
def test_names_of_many_alphabets_are_drawn(name):
    text = text_of(report(notes=(Note(1, Reader(3, name, True), "noted", NOON),)))
    assert name in text
    assert "cannot print" not in text


def test_what_cannot_be_drawn_is_counted_and_said():
    text = text_of(report(notes=(Note(1, ANNA, "seen by 王芳 and שרה", NOON),)))
    assert "5 characters of names or notes" in text
    assert "seen by ▯▯ and ▯▯▯" in text
    assert text.index("5 characters") < text.index("Readers’ finding")


@pytest.mark.parametrize(
    "hostile",
    [
        "<b>bold</b> & <para> </para>",
        "<img src='file:///etc/passwd'/>",
        "&lt; &#0; %s {0}",
        "a\x00b\u202ec\ud800d\x1b[0m",
    ],
)
def test_text_is_never_taken_as_markup(hostile):
    shown = re.sub("[\x00\u202e\ud800\x1b]", "", hostile)
    made = report(
        details=StudyDetails(hostile, None, hostile, hostile),
        decisions=(decision(reader=Reader(1, hostile, True)),),
        notes=(Note(1, Reader(1, hostile, False), hostile, NOON),),
        printed_by=Reader(1, hostile, True),
    )
    text = text_of(made)
    assert text.count(" ".join(shown.split())) >= 5


def test_line_breaks_of_a_note_stay():
    pages = read(report(notes=(Note(1, ANNA, "first\r\n\r\nsecond\nthird", NOON),))).pages
    lines = [line.strip() for page in pages for line in page.extract_text().splitlines()]
    assert {"first", "second", "third"} <= set(lines)


@pytest.mark.parametrize("note", ["word " * 20000, "x" * 30000, "\n" * 400, ""])
def test_notes_of_any_length_flow_over_the_pages(note):
    made = read(report(notes=(Note(1, ANNA, note, NOON), Note(2, BORIS, "the end", NOON))))
    text = "".join(page.extract_text() for page in made.pages)
    assert text.count(note[:1]) >= len(note.replace(" ", "")) / 4 if note.strip() else True
    assert "the end" in text


def test_a_long_name_finds_room_everywhere():
    long = Reader(1, "Wolfeschlegelsteinhausenbergerdorff" * 5, False)
    made = report(
        details=StudyDetails("R" * 120, None, "S" * 120, "I" * 1000),
        decisions=(decision(reader=long),),
        printed_by=long,
    )
    assert "RRR… · printed" in text_of(made)
