"""Hours of the day as people type them."""

from __future__ import annotations

import click
import pytest

from signer.cli.batch_words import hours
from signer.client.queue_values import Hours


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [("07:30-17:00", 450, 1020), ("22:00-05:00", 1320, 300), ("22:00-24:00", 1320, 1440), ("22:00-00:00", 1320, 1440)],
)
def test_hours_may_run_past_midnight_and_to_it_by_either_name(text: str, start: int, end: int) -> None:
    assert hours(text) == Hours(start, end)


@pytest.mark.parametrize("text", ["", "7-17", "24:00-05:00", "22:00-24:01", "22:60-23:00"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(click.BadParameter, match="such as 07:30-17:00"):
        hours(text)
