"""How the holders' control over their keys is set up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from pydantic import Field


@dataclass(frozen=True, slots=True)
class EnrolmentSettings:
    """`[enrolment]`: how people come by their factors."""

    code_hours: Annotated[
        int, Field(ge=1, le=720, description="How long a one-time code may wait for its person; then an operator makes another.")
    ] = 72

    @property
    def code_life(self) -> timedelta:
        """The same as a duration."""
        return timedelta(hours=self.code_hours)
