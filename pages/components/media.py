"""Addresses for bytes that a component shows."""

from streamlit.runtime import get_instance


def media_url(data: bytes, mimetype: str, slot: str) -> str:
    """An address that this session may load the bytes from, as long as it shows them.

    A component's data is sent again with every refresh; an address is short, and the browser keeps
    what it loaded from there. ``st.image`` gives out the same addresses.

    Args:
        data: the bytes.
        mimetype: such as ``image/png``.
        slot: the place on the page; what was there before is given up.
    """
    return get_instance().media_file_mgr.add(data, mimetype, slot)
