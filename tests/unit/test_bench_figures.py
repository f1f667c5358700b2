"""What benches conclude: rates, ratios, targets; and that requests put together from parts are the requests meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from signer.v1 import signing_pb2
from tests.bench import measure, orders
from tests.bench.benches import BENCHES
from tests.bench.lines import LineProgram, ProgramFailed
from tests.bench.measure import Calm, Pair, Sample, Spread, percentile, take_pairs
from tests.bench.orders import Order, Work
from tests.bench.row import Row, Target, row_of_pairs

SIZES_BYTES = (1, 100, 20_000)


def order(work: Work, **more: object) -> Order:
    return Order(**{"work": work, "school": "79000001", "credential": "cbql", "seconds": 1.0, **more})  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for size in SIZES_BYTES:
        (tmp_path / f"{size:05}.pdf").write_bytes(b"x" * size)
    return tmp_path


def test_bench_batch_messages_carry_every_document_under_an_id_of_its_own(folder: Path) -> None:
    documents = orders.Documents(order(Work.BATCH, folder=str(folder)))
    lots = [(count, signing_pb2.BatchSignDocumentsRequest.FromString(message).lot.documents) for count, message in documents.messages(7)]
    assert [count for count, _ in lots] == [len(lot) for _, lot in lots]
    parsed = [document for _, lot in lots for document in lot]
    assert [len(document.data) for document in parsed] == [*SIZES_BYTES, *SIZES_BYTES, SIZES_BYTES[0]]
    assert [document.size_bytes for document in parsed] == [len(document.data) for document in parsed]
    assert len({document.document_id for document in parsed}) == 7


def test_bench_requests_of_parts_parse_as_whole_requests(folder: Path) -> None:
    digests = signing_pb2.SignDigestsRequest.FromString(orders.with_request_id("r", orders.digests_tail(order(Work.DIGESTS, batch=35))))
    assert (digests.request_id, digests.school_id, digests.credential_id) == ("r", "79000001", "cbql")
    assert len({item.document_id for item in digests.items}) == 35
    tails = orders.document_tails(order(Work.DOCUMENT, folder=str(folder), field_name="KY"))
    document = signing_pb2.SignDocumentRequest.FromString(orders.with_request_id("r", tails[1]))
    assert (document.request_id, len(document.document), document.plan.pades.field_name) == ("r", 100, "KY")


def test_bench_rates_of_processes_side_by_side_add_up() -> None:
    together = Sample.together([Sample(100, 1.0, 10.0, 20.0), Sample(300, 2.0, 12.0, 30.0)])
    assert together.items_per_s == pytest.approx(250)
    assert (together.p50_ms, together.p99_ms) == (11.0, 30.0)


def test_bench_a_row_is_the_median_of_pair_ratios_not_the_ratio_of_medians() -> None:
    rates = iter([(100, 50), (200, 180), (50, 45)])
    current: list[int] = []

    def reference() -> Sample:
        current[:] = next(rates)
        return Sample(current[0], 1.0, 1.0, 1.0)

    pairs = take_pairs(reference, lambda: Sample(current[1], 1.0, 1.0, 1.0), 3)
    row = row_of_pairs("b", pairs, target=Target(0.9), reference="r")
    assert row.figure == Spread(0.9, 0.5, 0.9)
    assert row.is_met
    assert (row.items_per_s, row.reference_items_per_s) == (50, 100)


@pytest.fixture
def unwaited(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Nobody waits for this machine's host."""
    monkeypatch.setattr(Calm, "wait", lambda _calm: None)
    return monkeypatch


def test_bench_a_pair_that_the_host_disturbed_is_taken_again(unwaited: pytest.MonkeyPatch) -> None:
    runs = iter(range(100))
    now_s = iter(range(100))
    stolen_s = iter([0.0, 0.5, 0.5, 0.5, 0.5, 0.9, 0.9, 0.9])  # before and after each pair: disturbed, calm, disturbed, calm
    unwaited.setattr(measure, "perf_counter", lambda: float(next(now_s)))
    unwaited.setattr(measure, "_stolen_s", lambda: next(stolen_s))

    pairs = take_pairs(lambda: Sample(1, 1.0, 1.0, 1.0), lambda: Sample(next(runs), 1.0, 1.0, 1.0), 2, Calm(0.01))

    assert [(pair.subject.items, pair.put_aside, pair.stolen) for pair in pairs] == [(1, 1, 0.0), (3, 1, 0.0)]


def test_bench_waits_for_a_calm_host_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = iter([0.5, 0.3, 0.0, *[0.5] * 10_000])
    now_s = iter(range(100_000))
    monkeypatch.setattr(Calm, "_stolen_now", lambda _calm: next(taken))
    monkeypatch.setattr(measure, "perf_counter", lambda: float(next(now_s)))
    monkeypatch.setattr(measure, "sleep", lambda _s: None)
    Calm(0.01).wait()
    assert next(taken) == 0.5  # the first after the calm one
    Calm(0.01).wait()


def test_bench_a_host_that_is_never_calm_yields_a_figure_that_says_so(unwaited: pytest.MonkeyPatch) -> None:
    now_s, stolen_s = iter(range(100)), iter(range(100))
    unwaited.setattr(measure, "perf_counter", lambda: float(next(now_s)))
    unwaited.setattr(measure, "_stolen_s", lambda: float(next(stolen_s)))

    [pair] = take_pairs(lambda: Sample(1, 1.0, 1.0, 1.0), lambda: Sample(1, 1.0, 1.0, 1.0), 1, Calm(0.01))

    line = row_of_pairs("b", [pair], target=None, reference="r").as_json()
    assert pair.stolen > 0.01
    assert line["stolen"] > 0.01
    assert line["pairs_put_aside"] == pair.put_aside > 0


@pytest.mark.parametrize(
    ("target", "figure", "is_met"),
    [(Target(0.85), 0.85, True), (Target(0.85), 0.84, False), (Target(3, "ms", is_ceiling=True), 3.1, False), (None, 1.0, None)],
)
def test_bench_targets_are_floors_or_ceilings(target: Target | None, figure: float, is_met: bool | None) -> None:
    assert Row(bench="b", target=target, reference="r", figure=Spread.of([figure])).is_met is is_met


def test_bench_json_line_has_the_promised_fields() -> None:
    pair = Pair(Sample(100, 1.0, 1.0, 2.0), Sample(70, 1.0, 3.0, 4.0))
    line = json.loads(json.dumps(row_of_pairs("b", [pair], target=Target(0.7), reference="r", rss_mb={"daemon": 10.0}).as_json()))
    promised = {"bench": "b", "items_per_s": 70, "reference": "r", "reference_items_per_s": 100, "ratio": 0.7}
    assert promised.items() <= line.items()
    assert {"p50_ms": 3.0, "p99_ms": 4.0, "rss_mb": 10.0, "target": "≥ 0.7", "met": True, "spread": [0.7, 0.7]}.items() <= line.items()


def test_bench_percentiles_are_values_that_were_seen() -> None:
    ordered = [float(value) for value in range(1, 101)]
    assert [percentile(ordered, share) for share in (0.5, 0.99, 1.0)] == [51, 100, 100]
    assert percentile([], 0.5) == 0


def test_bench_a_program_that_fails_or_ends_is_no_figure() -> None:
    with LineProgram(["sh", "-c", """read a; echo '{"error": "no"}'; read b; exit 3"""], {}) as program:
        with pytest.raises(ProgramFailed, match="no"):
            program.ask({})
        with pytest.raises(ProgramFailed, match="ended with 3"):
            program.ask({})


def test_bench_every_bench_says_what_it_measures() -> None:
    assert len({bench.name for bench in BENCHES}) == len(BENCHES)
    assert all(bench.about.endswith(".") for bench in BENCHES)
