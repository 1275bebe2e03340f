"""Settings, from the environment or the checkout's ``.env`` file, with the prefix ``NEUROTRIAGE_``.

Constants of medicine and of the triage stand here with their reason, so that a department can set
its own: a nested one by two underscores, such as ``NEUROTRIAGE_PRIORITY__GLIOMA=70``.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.node_settings import NodeSettings

PROJECT_ROOT = Path(__file__).resolve().parent.parent


class PriorityRules(BaseModel):
    """Points of the priority score. Only their relations matter; 100 is about "drop everything"."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    glioma: float = Field(
        default=60, ge=0, description="Points of a certain glioma: malignant, it goes first."
    )
    meningioma: float = Field(
        default=35, ge=0, description="Points of a certain meningioma, mostly benign."
    )
    pituitary: float = Field(
        default=30, ge=0, description="Points of a certain pituitary tumour, mostly benign."
    )
    lesion_size: float = Field(
        default=15, ge=0, description="Points of a lesion of full_size_fraction or more."
    )
    full_size_fraction: float = Field(
        default=0.08, gt=0, le=1, description="Share of the head that counts as a large lesion."
    )
    low_confidence: float = Field(
        default=20, ge=0,
        description="Points of a prediction that is surely wrong; times the probability of that.",
    )  # fmt: skip
    confident_probability: float = Field(
        default=0.7, gt=0, lt=1, description="Highest class probability below which a human looks."
    )
    contradiction: float = Field(
        default=20, ge=0,
        description="Points of a class that surely contradicts the mask; times its probability.",
    )  # fmt: skip
    unlike_training: float = Field(
        default=40, ge=0,
        description="Least score of a scan unlike the training: its probabilities mean little.",
    )  # fmt: skip
    not_analysed: float = Field(
        default=40, ge=0, description="Least score of a case with a scan that cannot be analysed."
    )
    standing_out: float = Field(
        default=30, ge=0,
        description="Least score of a case in which one slice of a series stands out, outlined and "
        "confident, though its neighbours are calm: it is soon.",
    )  # fmt: skip
    urgent: float = Field(
        default=30, ge=0, description="Points of a study requested as urgent: it is soon at least."
    )
    emergency: float = Field(
        default=60, ge=0,
        description="Points of a study requested as an emergency: it is immediate at least.",
    )  # fmt: skip
    waiting_per_hour: float = Field(
        default=2, gt=0,
        description="Points an hour of waiting adds: three days outweigh every other reason.",
    )  # fmt: skip
    immediate_from: float = Field(default=60, ge=0, description="Score from which it is immediate.")
    soon_from: float = Field(default=30, ge=0, description="Score from which it is soon.")
    immediate_target_minutes: float = Field(default=60, gt=0, description="May wait: immediate.")
    soon_target_minutes: float = Field(default=240, gt=0, description="May wait: soon.")
    routine_target_minutes: float = Field(default=1440, gt=0, description="May wait: routine.")
    amber_share: float = Field(
        default=0.75, gt=0, le=1, description="Share of the target from which waiting is amber."
    )

    @model_validator(mode="after")
    def _glioma_goes_first(self) -> PriorityRules:
        """Refuse points with which a surer glioma or a more urgent request would stand lower."""
        if self.low_confidence > self.glioma - max(self.meningioma, self.pituitary):
            raise ValueError(
                "glioma needs at least low_confidence points more than meningioma and pituitary, "
                "else a surer glioma would stand behind a doubtful one"
            )
        if self.low_confidence + self.contradiction > self.glioma:
            raise ValueError(
                "glioma needs at least the points of low_confidence and contradiction together, "
                "else a surer glioma would stand behind a doubtful one"
            )
        if self.urgent > self.emergency:
            raise ValueError("emergency needs at least the points of urgent")
        if self.soon_from > self.immediate_from:
            raise ValueError("immediate_from needs at least the points of soon_from")
        return self


class UploadLimits(BaseModel):
    """What one upload may bring; each limit is told to whoever exceeds it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: int = Field(
        default=500, ge=1,
        description="Files at once; the browser's uploader hangs at some 980. More come as ZIP.",
    )  # fmt: skip
    archive_members: int = Field(default=5000, ge=1, description="Files in one ZIP archive.")
    archive_bytes: int = Field(
        default=2_000_000_000, ge=1, description="Unpacked size of one ZIP archive in bytes."
    )
    member_bytes: int = Field(
        default=200_000_000, ge=1, description="Unpacked size of one file in an archive in bytes."
    )
    frames: int = Field(
        default=2000, ge=1, description="Slices in one file, of a volume or a DICOM object."
    )
    picture_megapixels: float = Field(
        default=100, gt=0, le=100, description="Megapixels of an ordinary picture."
    )
    volume_megapixels: float = Field(
        default=512, gt=0, description="Megapixels of all slices of a NIfTI volume together."
    )
    archive_depth: int = Field(
        default=2, ge=1, description="Levels of ZIP archives within each other."
    )

    @property
    def too_large(self) -> str:
        """What is said of a file that has too many bytes, after "has" or "unpacks to"."""
        return (
            f"more than {_megabytes(self.member_bytes)}, far more than a series of brain MRI "
            "slices. Please export the series alone."
        )


class DemoUploadLimits(UploadLimits):
    """What one upload may bring in the demonstration.

    Attributes:
        own_bytes: size of a file that an installation takes which is no demonstration.
    """

    own_bytes: int

    @property
    def too_large(self) -> str:
        """What is said of a file that has too many bytes, after "has" or "unpacks to"."""
        most = _megabytes(self.member_bytes)
        return (
            f"more than {most}. The demonstration takes files up to {most}; an installation of "
            f"your own takes {_megabytes(self.own_bytes)}. Please send a smaller file here, such "
            "as some slices of the series."
        )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"


class DemoRules(BaseModel):
    """The demonstration: every visitor has a private workspace, which is deleted after a while."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="on: every visitor gets a private workspace that expires; off: one worklist "
        "for all; auto: on where Streamlit Community Cloud runs the application.",
    )
    minutes: float = Field(
        default=60, gt=0, description="A visitor's workspace is deleted after so many minutes."
    )
    workspaces: int = Field(default=10, ge=1, description="Visitors at the same time.")
    files: int = Field(default=25, ge=1, description="Files that a visitor may send at once.")
    archive_members: int = Field(default=200, ge=1, description="Files in one ZIP archive.")
    megabytes: int = Field(
        default=25, ge=1, description="Size of a file, and of an archive unpacked, in megabytes."
    )
    picture_megapixels: float = Field(
        default=4, gt=0, description="Megapixels of an ordinary picture: larger ones need memory."
    )
    volume_megapixels: float = Field(
        default=24, gt=0, description="Megapixels of all slices of a NIfTI volume together."
    )
    stored_megabytes: int = Field(
        default=100, ge=1, description="With so much stored, a visitor can send no more."
    )
    held_megabytes: int = Field(
        default=50, ge=1,
        description="Files that a visitor may have in the uploader, together, in megabytes.",
    )  # fmt: skip
    held_megabytes_of_all: int = Field(
        default=200, ge=1,
        description="Files in all visitors' uploaders together, in megabytes: they lie in memory.",
    )  # fmt: skip

    @property
    def active(self) -> bool:
        """Whether visitors have workspaces of their own here."""
        return self.mode == "on" or (self.mode == "auto" and _on_community_cloud())


def _on_community_cloud() -> bool:
    # A public link to one worklist for all would show everybody's uploads to everybody. Community
    # Cloud checks repositories out there, and a fork must be safe without any setting.
    return PROJECT_ROOT.is_relative_to("/mount/src")


class Settings(BaseSettings):
    """Everything an installation may set."""

    model_config = SettingsConfigDict(
        env_prefix="NEUROTRIAGE_",
        # Wherever the program is started from.
        env_file=PROJECT_ROOT / ".env",
        env_nested_delimiter="__",
        extra="ignore",
    )

    data: Path | None = Field(
        default=None, description="Folder of the data sets, for training and tests on real scans."
    )
    weights: Path = Field(
        default=PROJECT_ROOT / "weights", description="Folder with manifest.json and the weights."
    )
    runtime: Literal["auto", "openvino", "torch"] = Field(
        default="auto",
        description="What runs the networks; auto takes the saved graph where it can be read.",
    )
    threads: int = Field(
        default=0, ge=0, description="Threads for inference; 0 takes all cores of the machine."
    )
    storage: Path = Field(
        default=PROJECT_ROOT / "storage",
        description="Folder of the file store and of the embedded database and queue.",
    )
    database_url: SecretStr = Field(
        default=SecretStr(""),
        description="SQLAlchemy address of a PostgreSQL database (postgresql+psycopg://...); "
        "empty for SQLite in the storage folder.",
    )
    queue_url: SecretStr = Field(
        default=SecretStr(""),
        description="Address of a Redis server (redis://...); empty for SQLite in the storage.",
    )
    worker: Literal["embedded", "external"] = Field(
        default="embedded",
        description="embedded: each app process scores in a thread; external: only "
        "`python -m core worker` processes score.",
    )
    scoring_attempts: int = Field(
        default=3, ge=1, description="How often a scan is tried before it is shown as failed."
    )
    lease_seconds: float = Field(
        default=60, gt=0,
        description="After so long without a sign of life a worker's scans go back to the queue.",
    )  # fmt: skip
    pseudonym_key: SecretStr = Field(
        default=SecretStr(""),
        description="Secret from which the pseudonyms of patients and UIDs follow; empty for a key "
        "file that is made in the storage folder.",
    )
    keep_originals: bool = Field(
        default=False,
        description="Whether DICOM and NIfTI files are kept as they came too, names included.",
    )
    second_reader_for_glioma: bool = Field(
        default=True, description="A glioma is reported only when a second reader has confirmed it."
    )
    priority: PriorityRules = PriorityRules()
    upload: UploadLimits = UploadLimits()
    demo: DemoRules = DemoRules()
    node: NodeSettings = NodeSettings()


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The process's settings, read once."""
    return Settings()
