"""TLS as DICOM's basic profiles ask for it (PS3.15 B.9, BCP 195): version 1.2 or later."""

from __future__ import annotations

import ssl

from core.config import NodeSettings


def server_context(settings: NodeSettings) -> ssl.SSLContext | None:
    """How senders are met; None where the settings name no certificate.

    With ``tls_ca`` senders need a certificate too.

    Raises:
        OSError: a file cannot be read, or is no certificate or key.
    """
    if settings.tls_certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    if settings.tls_ca is not None:
        context.load_verify_locations(settings.tls_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(settings: NodeSettings) -> ssl.SSLContext:
    """How the archive is met: its certificate has to be vouched for and to bear its name.

    ``archive_ca`` vouches for it, or else what this computer trusts. The node's own certificate,
    where it has one, is shown.

    Raises:
        OSError: a file cannot be read, or is no certificate or key.
    """
    context = ssl.create_default_context(cafile=settings.archive_ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.tls_certificate is not None:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    return context
