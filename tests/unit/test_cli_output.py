"""What reaches the terminal never steers it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.cli.language import Text, locale_language, say
from signer.cli.output import clean, print_table, to_json

NASTY = "a\x1b[31mred\x07\x9b2J\u202eevil\r\nnext\udcff"


def steers(text: str) -> bool:
    return any(ord(c) < 0x20 or 0x7F <= ord(c) <= 0x9F or c in "\u202e\u2066\u2028" or 0xD800 <= ord(c) <= 0xDFFF for c in text)


def test_cleaned_text_keeps_vietnamese_and_loses_what_steers() -> None:
    assert clean("Nguyễn Thị Ánh [bold] 'x'") == "Nguyễn Thị Ánh [bold] 'x'"
    assert steers(NASTY)
    assert not steers(clean(NASTY))
    assert len(clean(NASTY)) == len(NASTY)


@given(st.text(alphabet=st.characters()))
def test_json_reads_back_as_it_was_and_prints_nothing_that_steers(text: str) -> None:
    printed = to_json({"name": text, text: [1]})
    assert json.loads(printed) == {"name": text, text: [1]}
    assert not steers(printed.replace("\n", ""))


def test_a_table_takes_names_literally(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["File", "Why"], [["[red]x[/red].pdf", NASTY], ["b.pdf", ":smile:"]], title="[bold]t")
    shown = capsys.readouterr().out
    assert "[red]x[/red].pdf" in shown
    assert ":smile:" in shown
    assert "[bold]t" in shown
    assert not steers(shown.replace("\n", ""))


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "vi_VN.UTF-8"}, "vi"),
        ({"LANG": "vi_VN.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "vi_VN"}, "vi"),
        ({"LANG": "vi_VN", "LC_ALL": ""}, "vi"),
    ],
)
def test_the_language_is_the_locales(environment: dict[str, str], language: str) -> None:
    assert locale_language(environment) == language


def test_texts_are_filled() -> None:
    assert say(Text("{count} failed", "{count} lỗi"), count=3) in {"3 failed", "3 lỗi"}
