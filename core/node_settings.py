"""Settings of the node on the hospital network, ``NEUROTRIAGE_NODE__...``."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import NoDecode


def _split(value: object) -> object:
    """A list as people write it: ``MR1, MR2``."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _ae_title(value: str) -> str:
    """DICOM's rule for application entity titles (PS3.5, VR AE)."""
    title = value.strip()
    if not 1 <= len(title) <= 16 or "\\" in title or not (title.isascii() and title.isprintable()):
        raise ValueError("an AE title has 1 to 16 printable ASCII characters and no backslash")
    return title


def _network(value: str) -> str:
    return str(ip_network(value, strict=False))


AETitle = Annotated[str, BeforeValidator(_ae_title)]
AETitles = Annotated[tuple[AETitle, ...], NoDecode, BeforeValidator(_split)]
Networks = Annotated[
    tuple[Annotated[str, BeforeValidator(_network)], ...], NoDecode, BeforeValidator(_split)
]


class NodeSettings(BaseModel):
    """What ``python -m core dicom-node`` listens to, whom it lets in and where results go."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ae_title: AETitle = Field(default="NEUROTRIAGE", description="AE title of the node.")
    bind: str = Field(default="0.0.0.0", description="Address to listen at; 0.0.0.0 for all.")
    port: int = Field(default=11112, ge=0, le=65535, description="TCP port to listen at.")
    senders: AETitles = Field(
        default=(),
        description="AE titles that may send, separated by commas. The node does not start "
        "without one.",
    )
    networks: Networks = Field(
        default=(),
        description="Addresses or networks that may connect, separated by commas; empty for all.",
    )
    object_bytes: int = Field(
        default=500_000_000, ge=1_000_000, description="Size of the largest object in bytes."
    )
    associations: int = Field(default=10, ge=1, description="Associations at the same time.")
    objects_per_minute: int = Field(
        default=6_000, ge=60,
        description="Objects a minute from one address; above that it is answered more slowly.",
    )  # fmt: skip
    idle_seconds: float = Field(
        default=60, gt=0, description="A connection on which nothing comes for so long is closed."
    )
    tls_certificate: Path | None = Field(
        default=None, description="Certificate of the node (PEM); switches TLS on."
    )
    tls_key: Path | None = Field(
        default=None, description="Key of the certificate, where it is in a file of its own."
    )
    tls_ca: Path | None = Field(
        default=None,
        description="Certificates (PEM) that have to vouch for senders, which then need one too.",
    )
    quiet_seconds: float = Field(
        default=60, ge=0,
        description="A series is taken as complete when nothing came for so long.",
    )  # fmt: skip
    archive_host: str = Field(
        default="", description="Archive that gets the results by C-STORE: name or address."
    )
    archive_port: int = Field(default=104, ge=1, le=65535, description="Its port.")
    archive_ae_title: AETitle = Field(default="ARCHIVE", description="Its AE title.")
    archive_tls: bool = Field(default=False, description="Whether it is reached by TLS.")
    archive_ca: Path | None = Field(
        default=None,
        description="Certificates (PEM) that have to vouch for the archive, by TLS or https; "
        "without it those that this computer trusts.",
    )
    archive_url: str = Field(
        default="",
        description="Address of its DICOMweb service: results then go by STOW-RS.",
    )
    archive_user: str = Field(default="", description="User name for DICOMweb (HTTP Basic).")
    archive_password: SecretStr = Field(default=SecretStr(""), description="Password for DICOMweb.")
    retry_seconds: float = Field(
        default=30, gt=0,
        description="Pause after results could not be sent; doubles up to an hour.",
    )  # fmt: skip
    give_up_hours: float = Field(
        default=72, gt=0, description="Results that could not be sent for so long are given up."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> NodeSettings:
        if self.archive_host and self.archive_url:
            raise ValueError("archive_host and archive_url name two ways: please choose one")
        if (self.tls_key or self.tls_ca) and not self.tls_certificate:
            raise ValueError("tls_key and tls_ca mean nothing without tls_certificate")
        by_tls = self.archive_tls or self.archive_url.lower().startswith("https:")
        if self.archive_ca and not by_tls:
            raise ValueError("archive_ca means nothing without archive_tls or an https archive_url")
        return self

    @property
    def returns_results(self) -> bool:
        """Whether an archive is named."""
        return bool(self.archive_host or self.archive_url)
