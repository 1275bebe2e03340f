"""Upload scans: what they are, which files, and how far the latest uploads are."""

import streamlit as st

from pages.components.batch_list import show_batches
from pages.components.installation import shared_installation
from pages.components.reader import signed_in_reader
from pages.components.samples import offer_samples
from pages.components.upload_details import study_details
from pages.components.upload_files import chosen_files, note_lost_files, upload_number
from pages.components.upload_sending import send_button, sending, show_receipt, show_sending

# Here too: a new server may run this page before anything else, see ``signed_in_reader``.
note_lost_files()
st.title("Upload scans")
installation = shared_installation()
reader = signed_in_reader()

number = upload_number()
details = study_details(number)
files = chosen_files(number, most=installation.settings.upload.files)
send_button(installation, reader, files, details)
under_way = sending()
if under_way:
    show_sending(under_way)
look_at = None if under_way else show_receipt()
offer_samples(installation, reader)

with st.container(horizontal=True, vertical_alignment="center"):
    st.subheader("Your uploads", anchor=False, width="content")
    st.page_link(
        "pages/worklist.py", label="Read the cases in the worklist", icon=":material/list_alt:"
    )
show_batches(installation, reader, opened=look_at)
