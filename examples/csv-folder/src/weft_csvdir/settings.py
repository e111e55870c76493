"""What stands under a connection of kind ``csvdir`` in ``weft.yaml``."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class FolderSettings(BaseModel):
    """weft validates the connection's entry against this model and names every mistake with its line."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path = Field(description="the folder with the files; a relative one starts where weft is started")
    delimiter: str = Field(
        default=",", min_length=1, max_length=1, description="what separates columns: `,`, `;` or a tab"
    )
    companies: list[str] = Field(
        default_factory=list,
        description="sub-folders to work with, where each company has one; default: the only one there is",
    )
    page_size: int = Field(default=1000, ge=1, le=100_000, description="rows handed over at a time")
