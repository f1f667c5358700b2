"""docs/scale.md is what its figures make, and the arithmetic between them keeps its laws."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scale.demand import COUNTRY_PEAK_PER_S, MIX, SITES, Site
from tests.scale.needs import Needs, measured, needs, signature
from tests.scale.report import page

DOCS = Path(__file__).parents[2] / "docs"
WHOLE = {"daemons", "machines", "hsms", "logs"}


def test_the_page_in_docs_is_what_the_figures_make() -> None:
    assert (DOCS / "scale.md").read_text(encoding="utf-8") == page(), "make scale"


def test_the_average_is_of_a_whole_mix_and_of_formats_that_were_measured() -> None:
    assert sum(MIX.values()) == pytest.approx(1.0)
    assert set(MIX) <= set(measured()["formats"])
    assert SITES[-1].peak_per_s == COUNTRY_PEAK_PER_S


@given(st.floats(300, 3_000), st.integers(1, 10**7), st.integers(2, 20))
def test_so_many_times_the_signatures_need_so_many_times_the_work_and_no_more_spares(peak: float, pupils: int, times: int) -> None:
    one, many = needs(Site("one", peak, pupils)), needs(Site("many", times * peak, times * pupils))
    for each in fields(Needs):
        few, much = getattr(one, each.name), getattr(many, each.name)
        if each.name in WHOLE:
            assert few <= much <= times * few + 2
        elif each.name != "site":
            assert much == pytest.approx(times * few, rel=0.01) or (each.name == "commits_per_s" and few <= much <= times * few * 1.01)


def test_what_a_signature_costs_more_a_site_needs_more() -> None:
    cheap = signature()
    dear = replace(cheap, cpu_s=2 * cheap.cpu_s, network_bytes=2 * cheap.network_bytes)
    assert needs(SITES[-1], dear).cores == pytest.approx(2 * needs(SITES[-1], cheap).cores)
    assert needs(SITES[-1], dear).network_bits_per_s > needs(SITES[-1], cheap).network_bits_per_s
