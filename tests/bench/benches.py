"""All benches, in the order they run. A new one is a function of the ground that yields rows, and a line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.bench import (
    authorised,
    evidence,
    fairness,
    forms,
    growth,
    journal,
    pades,
    peers,
    queued,
    replicas,
    sign_digests,
    single,
    slow_tokens,
    stamps,
    teachers,
    verify,
)
from tests.bench.ground import Ground
from tests.bench.row import Row


@dataclass(frozen=True, slots=True)
class Bench:
    """One bench. in_default: runs when none is named."""

    name: str
    run: Callable[[Ground], Iterator[Row]]
    in_default: bool = True

    @property
    def about(self) -> str:
        """The first line of its docstring."""
        return (self.run.__doc__ or "").strip().partition("\n")[0]


BENCHES = (
    Bench("sign-digests-rsa", sign_digests.rsa),
    Bench("sign-digests-p256", sign_digests.p256),
    Bench("pades-b-b", pades.fresh),
    Bench("pades-b-b-third", pades.third),
    Bench("pades-b-b-visible", pades.visible),
    Bench("ministry-xml", forms.ministry),
    Bench("ministry-xml-third", forms.ministry_third),
    Bench("xades-b-b", forms.xades),
    Bench("cades-detached", forms.cades),
    Bench("pades-b-t", pades.timestamped),
    Bench("pades-b-t-outside", pades.stamped_outside),
    Bench("stamps-in-process", stamps.in_process),
    Bench("stamps-http", stamps.over_http),
    Bench("pades-b-b-pyhanko", peers.pyhanko),
    Bench("sign-document", single.unloaded),
    Bench("growth", growth.growth),
    Bench("latency-bound-token", slow_tokens.latency_bound),
    Bench("slow-token", slow_tokens.slow_beside_fast),
    Bench("fairness", fairness.fairness),
    Bench("journal", journal.journal),
    Bench("replicas", replicas.replicated),
    Bench("evidence-record", evidence.evidence),
    Bench("teachers", teachers.teachers),
    Bench("authorised", authorised.authorised),
    Bench("queued-batch", queued.queued),
    Bench("verify-pdf", verify.verify),
    Bench("compare-pyhanko", peers.installed_pyhanko, in_default=False),
    Bench("compare-endesive", peers.installed_endesive, in_default=False),
)
