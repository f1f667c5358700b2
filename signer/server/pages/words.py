"""The page's texts, one TOML file a language, and which language a browser gets."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from importlib.resources import files
from typing import Any


class Language(Enum):
    """The value is its BCP 47 tag. The first is the one of whoever asks for neither."""

    VIETNAMESE = "vi"
    ENGLISH = "en"


_BY_TAG = {language.value: language for language in Language}


@dataclass(frozen=True, slots=True)
class Words:
    """The texts of one language, by `section.name`."""

    language: Language
    texts: Mapping[str, str]

    @classmethod
    def load(cls, language: Language) -> Words:
        """From the file of that language."""
        file = files("signer.server.pages") / "text" / f"{language.value}.toml"
        return cls(language, dict(_flat(tomllib.loads(file.read_text(encoding="utf-8")))))

    def __call__(self, name: str, /, **values: Any) -> str:
        """The text of that name, filled in; KeyError for one that does not exist."""
        text = self.texts[name]
        return text.format(**values) if values else text

    def or_name(self, section: str, name: str) -> str:
        """The text of a name that others chose; the name itself where there is none."""
        return self.texts.get(f"{section}.{name}", name)


def language_of(tag: str) -> Language | None:
    """None for one that we don't speak."""
    return _BY_TAG.get(tag.partition("-")[0].strip().lower())


def preferred(accept_language: str) -> Language:
    """The first of ours by weight (RFC 9110 section 12.5.4)."""
    best, best_weight = next(iter(Language)), 0.0
    for entry in accept_language.split(",")[:20]:
        tag, _, rest = entry.partition(";")
        language = language_of(tag)
        weight = _weight(rest)
        if language is not None and weight > best_weight:
            best, best_weight = language, weight
    return best


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if not name:
        return 1.0
    try:
        return min(1.0, float(value)) if name.strip().lower() == "q" else 0.0
    except ValueError:
        return 0.0


def _flat(table: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(f"{section}.{name}", text) for section, texts in table.items() for name, text in texts.items()]
