"""Settings, from the environment or a ``.env`` file, all with the prefix ``NEUROTRIAGE_``."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT_ROOT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """Everything an installation may set."""

    model_config = SettingsConfigDict(env_prefix="NEUROTRIAGE_", env_file=".env", extra="ignore")

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


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The process's settings, read once."""
    return Settings()
