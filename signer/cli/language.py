"""English or Vietnamese: texts for people come in both; keys of JSON, reasons and option names never change."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

LANGUAGES = ("en", "vi")
_META_KEY = "signer.language"
_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Text:
    """One text in both languages; {names} are filled by `say`."""

    en: str
    vi: str


def say(text: Text, /, **values: object) -> str:
    """The text in the command's language."""
    return (text.vi if current_language() == "vi" else text.en).format(**values)


def current_language() -> str:
    """What --lang or SIGNER_LANG says, else the locale's."""
    context = click.get_current_context(silent=True)
    chosen = context.meta.get(_META_KEY) if context else None
    return str(chosen) if chosen else locale_language(os.environ)


def locale_language(environment: os._Environ[str] | dict[str, str]) -> str:
    """`vi` for a Vietnamese locale, else `en`; LC_ALL goes before LC_MESSAGES before LANG, as POSIX says."""
    locale = next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "")
    return "vi" if locale.lower().startswith("vi") else "en"


def language_option(command: _Command) -> _Command:
    """--lang; its value reaches `say` by the context."""
    return click.option(
        "--lang",
        type=click.Choice(LANGUAGES),
        envvar="SIGNER_LANG",
        expose_value=False,
        is_eager=True,
        callback=_remember,
        help="Language of messages. Default: by LANG.",
    )(command)


def _remember(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value:
        context.meta[_META_KEY] = value
