"""Accounts: one per subject, marked as what they are."""

import pytest
from sqlalchemy import select

from core.errors import InputError
from core.services.readers import add_reader, readers, sign_in
from core.store.tables import AuditRow


def test_signing_in_again_is_the_same_account_under_its_present_name(installation):
    first = sign_in(installation, "oidc:https://id.example|42", " Ada  Lovelace ", True)
    assert (first.name, first.verified) == ("Ada Lovelace", True)
    again = sign_in(installation, "oidc:https://id.example|42", "Ada King", True)
    assert (again.id, again.name) == (first.id, "Ada King")
    assert readers(installation) == [again]


def test_the_same_name_from_elsewhere_is_another_account(installation):
    verified = sign_in(installation, "oidc:https://id.example|42", "Ada", True)
    local = add_reader(installation, "Ada")
    assert local.id != verified.id
    assert (local.verified, verified.verified) == (False, True)


def test_readers_come_by_name(installation):
    for name in ("Cleo", "Ada", "Bob"):
        add_reader(installation, name)
    assert [reader.name for reader in readers(installation)] == ["Ada", "Bob", "Cleo"]


def test_a_name_that_is_taken_is_said(installation):
    add_reader(installation, "Dr Ada")
    with pytest.raises(InputError, match="dr ADA already"):
        add_reader(installation, "  dr   ADA ")
    assert len(readers(installation)) == 1


@pytest.mark.parametrize(
    ("name", "says"), [("", "give the reader's name"), (" \n", "give"), ("x" * 101, "101")]
)
def test_a_name_must_be_one(installation, name, says):
    for ask in (
        lambda: add_reader(installation, name),
        lambda: sign_in(installation, "oidc:x|1", name, True),
    ):
        with pytest.raises(InputError, match=says):
            ask()
    assert readers(installation) == []


@pytest.mark.parametrize("subject", ["", "x" * 401])
def test_an_account_must_be_known_by_something(installation, subject):
    with pytest.raises(InputError, match="identity provider"):
        sign_in(installation, subject, "Ada", True)


def test_adding_a_reader_is_in_the_log(installation):
    reader = add_reader(installation, "Ada")
    with installation.database.reading() as session:
        (row,) = session.scalars(select(AuditRow))
    assert (row.user_id, row.action) == (reader.id, "reader_added")


def test_the_account_of_a_node_is_nobody_to_choose(installation):
    sign_in(installation, "node:NEUROTRIAGE", "DICOM node NEUROTRIAGE", True)
    sign_in(installation, "local:Ana", "Ana", False)
    assert [reader.name for reader in readers(installation)] == ["Ana"]
