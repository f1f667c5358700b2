"""What is served: a table. POST always wants a form of our own page; what needs a person asks whoever is none to sign in first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

from signer.server.pages.views import Answer, Visit

Action: TypeAlias = Callable[[Visit], Awaitable[Answer]]


class Needs(Enum):
    """Who may. FIRST_VISIT: whoever came with a one-time code and has no factors yet."""

    NOBODY = auto()
    PERSON = auto()
    FIRST_VISIT = auto()


@dataclass(frozen=True, slots=True)
class Route:
    """One path. get, post: None where the method is not served."""

    needs: Needs
    get: Action | None = None
    post: Action | None = None


Routes: TypeAlias = Mapping[str, Route]
