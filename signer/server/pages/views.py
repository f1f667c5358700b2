"""Answers: pages from templates, redirections, files. What goes into a template is escaped; what it lacks is a bug, not a gap."""

from __future__ import annotations

import hashlib
import math
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from http import HTTPStatus
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from signer.server.pages.forms import TOKEN_FIELD, Form
from signer.server.pages.sessions import Session
from signer.server.pages.words import Language, Words

_HTML: Final = "text/html; charset=utf-8"
_FILES: Final = {"page.css": "text/css; charset=utf-8", "passkey.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml"}
_VIETNAM: Final = timezone(timedelta(hours=7))
_HASH_CHARACTERS: Final = 12
_KEPT: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Visit:
    """One request. cookie: the browser's name of its session, or of none yet. account: whom its tries are counted for.

    session: None for whoever is not signed in. place: path and query, to come back to after signing in.
    """

    path: str
    place: str
    query: Mapping[str, str]
    ids: tuple[str, ...]
    form: Form
    language: Language
    cookie: str = field(repr=False)
    csrf: str = field(repr=False)
    account: str
    session: Session | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a browser gets. cookie: the new name of its session; None leaves it. location: for redirections.

    bare: gives no cookie to a browser without one: for what is the same for all, or comes where a cookie was withheld (SameSite).
    """

    status: HTTPStatus
    body: bytes = field(default=b"", repr=False)
    content_type: str = _HTML
    location: str = ""
    cookie: str | None = field(default=None, repr=False)
    language: Language | None = None
    bare: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)

    def with_cookie(self, cookie: str) -> Answer:
        """The same, and from now on the browser has this session."""
        return replace(self, cookie=cookie)


def redirect(location: str) -> Answer:
    """See Other: what was posted is done; the browser asks for another page."""
    return Answer(HTTPStatus.SEE_OTHER, location=location)


class Views:
    """Makes answers."""

    def __init__(self) -> None:
        self._words = {language: Words.load(language) for language in Language}
        self.files = dict(_file(name, content_type) for name, content_type in _FILES.items())
        self._environment = Environment(
            loader=PackageLoader("signer.server.pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self._environment.filters |= {"when": _when, "base64url": _base64url, "whole": math.ceil}
        self._environment.globals["file"] = {path.rsplit("/", 1)[1].partition("-")[0]: path for path in self.files}

    def page(self, visit: Visit, template: str, status: HTTPStatus = HTTPStatus.OK, **values: Any) -> Answer:
        """A page. A notice that the session had for its next page is shown on this one.

        error: name of a text, empty for none. wait_s: when the next try counts; None where that is not told.
        """
        notice = ""
        if visit.session is not None:
            notice, visit.session.notice = visit.session.notice, ""
        token = Markup('<input type="hidden" name="{}" value="{}">').format(TOKEN_FIELD, visit.csrf)
        text = self._environment.get_template(f"{template}.html").render(
            t=self._words[visit.language],
            visit=visit,
            notice=notice,
            languages=tuple(Language),
            csrf=lambda: token,
            **{"error": "", "wait_s": None, **values},
        )
        return Answer(status, text.encode())


def _file(name: str, content_type: str) -> tuple[str, Answer]:
    """Under a path that changes with the content, so that browsers may keep it."""
    content = (files("signer.server.pages") / "static" / name).read_bytes()
    stem, _, suffix = name.partition(".")
    path = f"/static/{stem}-{hashlib.sha256(content).hexdigest()[:_HASH_CHARACTERS]}.{suffix}"
    return path, Answer(HTTPStatus.OK, content, content_type, bare=True, headers={"Cache-Control": _KEPT})


def _base64url(octets: bytes) -> str:
    return urlsafe_b64encode(octets).decode().rstrip("=")


def _when(at: datetime) -> str:
    """As people in Vietnam write it, in their time."""
    return at.astimezone(_VIETNAM).strftime("%H:%M %d/%m/%Y")
