"""Who is reading: OpenID Connect where it is configured, else an account chosen in the sidebar."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import streamlit as st

from core.errors import InputError
from core.services.installation import Installation
from core.services.readers import add_reader, readers, sign_in
from core.types import Reader
from pages.components.text import escaped

if TYPE_CHECKING:
    from streamlit.navigation.page import StreamlitPage

_SLOT = "reader"
_WANTED = "wanted_page"
_remembered = st.components.v2.component(
    "remembered_reader",
    js=(Path(__file__).parent / "remembered" / "remembered.js").read_text(encoding="utf-8"),
)


def signed_in_reader() -> Reader:
    """The account of this session; ``reader_gate`` has seen to it that there is one.

    Every page calls it. Until ``streamlit_app.py`` has run once in a server process, Streamlit
    takes each file of ``pages/`` for a page of its own: the first visitor of all would come in past
    the gate and the disclaimer. They are sent to the front door, and ``wanted_page`` says whereto
    from there.
    """
    if _SLOT not in st.session_state:
        name = urlsplit(st.context.url or "").path.rsplit("/", 1)[-1]
        st.session_state[_WANTED] = (name, st.query_params.to_dict())
        st.switch_page("streamlit_app.py")
    reader: Reader = st.session_state[_SLOT]
    return reader


def wanted_page(
    pages: list[StreamlitPage], here: StreamlitPage
) -> tuple[StreamlitPage, dict[str, str]] | None:
    """The page, and its query, from which this visitor was sent to the front door.

    Args:
        pages: all that there are.
        here: the one that runs; None is given where it is wanted itself.
    """
    name, query = st.session_state.get(_WANTED, (None, {}))
    for page in pages:
        if page.url_path == name and page is not here:
            return page, query
    return None


def forget_wanted_page() -> None:
    """The visitor is on the way there."""
    st.session_state.pop(_WANTED, None)


def reader_gate(installation: Installation) -> None:
    """Let nobody pass without an account."""
    if st.secrets.load_if_toml_exists() and "auth" in st.secrets:
        _verified(installation)
    else:
        _unverified(installation)


def _verified(installation: Installation) -> None:
    if not st.user.is_logged_in:
        st.title("NeuroTriage")
        st.write("Please sign in to see the worklist.")
        st.button("Sign in", type="primary", icon=":material/login:", on_click=st.login)
        st.stop()
    subject = f"oidc:{st.user.iss}|{st.user.sub}"
    known = st.session_state.get("reader_subject")
    if known != subject:
        name = str(st.user.get("name") or st.user.get("email") or st.user.sub)
        st.session_state[_SLOT] = sign_in(installation, subject, name, verified=True)
        st.session_state["reader_subject"] = subject
    with st.sidebar:
        st.markdown("##### Signed in as")
        st.write(signed_in_reader().name)
        st.button("Sign out", icon=":material/logout:", on_click=st.logout)


def _unverified(installation: Installation) -> None:
    accounts = readers(installation)
    accounts = [account for account in accounts if not account.verified]
    _recall(accounts)
    if _SLOT not in st.session_state:
        st.title("Who is reading?")
        st.write(
            "Decisions, notes and uploads are kept under an account. No sign-in is configured "
            "here, so everybody may choose any account: it is marked **unverified** wherever it "
            "stands."
        )
        with st.container(width=420):
            _choice(installation, accounts, key="gate")
        st.stop()
    with st.sidebar:
        st.markdown("##### Reader")
        st.markdown(f"**{escaped(signed_in_reader().name)}** :gray-badge[unverified]")
        with st.expander("Change the account"):
            _choice(installation, accounts, key="sidebar")


def _choice(installation: Installation, accounts: list[Reader], key: str) -> None:
    with st.form(key, border=False):
        by_name = {account.name: account for account in accounts}
        name = st.selectbox(
            "Account",
            list(by_name),
            index=None,
            accept_new_options=True,
            placeholder="Choose, or type a new name",
            help="A different reader is a different account: a second reading needs two.",
            # Without one it would be another input, and what is being typed lost, whenever somebody
            # adds an account.
            key=f"{key}-account",
        )
        if st.form_submit_button("Go on as this reader", type="primary"):
            name = " ".join((name or "").split())
            if not name:
                st.error("Please choose an account or type a name.")
                return
            try:
                st.session_state[_SLOT] = by_name.get(name) or add_reader(installation, name)
            except InputError as error:
                st.error(str(error))
            else:
                st.rerun()


def _recall(accounts: list[Reader]) -> None:
    """Take the account this browser used last, and have it remember the present one."""
    chosen: Reader | None = st.session_state.get(_SLOT)
    found = _remembered(
        key="remembered_reader",
        data={"chosen": chosen.id if chosen else None, "known": "remembered" in st.session_state},
        on_kept_change=lambda: None,
        height=1,
    )
    if chosen is None and found.kept is not None:
        st.session_state["remembered"] = True
        by_id = {account.id: account for account in accounts}
        if int(found.kept) in by_id:
            st.session_state[_SLOT] = by_id[int(found.kept)]
            st.rerun()
