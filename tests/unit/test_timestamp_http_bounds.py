from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest

from signer.demo.pem import write_certificates
from signer.demo.tls_pki import TlsPki
from signer.errors import ConfigError
from signer.server.http.allowance import Allowance, Allowances
from signer.server.http.connections import account_of
from signer.timestamp.authority import IssuedTimestamp
from signer.timestamp.tsp import TimestampRequest
from tests.support.stamping import authority
from tests.support.timestamp_http import QUERY, Stamper, asked, line, opened, post
from tests.support.waiting import until_true


class Gate:
    """Issues when it is let go."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.entered = 0

    async def __call__(self, wanted: TimestampRequest) -> IssuedTimestamp:
        self.entered += 1
        await self.open.wait()
        return await authority().issue(wanted)


async def test_no_more_than_so_many_are_in_work_and_the_next_is_told_to_come_back() -> None:
    gate = Gate()
    async with opened(Stamper(gate), concurrency_max=2) as here:
        async with asyncio.TaskGroup() as tasks:
            first = [tasks.create_task(asked(here.port, post())) for _ in range(2)]
            await until_true(lambda: gate.entered == 2, "two to be in work")
            refused = await asked(here.port, post())
            gate.open.set()
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert [task.result().failure for task in first] == ["", ""]


async def test_a_client_has_no_more_timestamps_a_second_than_allowed_and_all_together_neither() -> None:
    async with opened(address_per_second_max=0.01) as here:
        assert [(await asked(here.port, post())).status for _ in range(3)] == [200, 429, 429]
    async with opened(per_second_max=0.01) as here:
        assert [(await asked(here.port, post())).status for _ in range(3)] == [200, 503, 503]
        assert 90 < int((await asked(here.port, post())).headers["retry-after"]) <= 100


async def test_connections_are_bounded_and_those_given_back_are_free_again() -> None:
    async with opened(connections_max=3, address_connections_max=2, idle_s=60) as here:
        async with line(here.port) as first, line(here.port) as second:
            for one in (first, second):
                one.send(post())
                assert (await one.answer()).status == 200
            async with line(here.port) as third:
                assert b"503" in await third.ended()
        await until_true(lambda: here.connections == 0, "the connections to be given back")
        assert (await asked(here.port, post())).status == 200


async def test_a_client_that_goes_away_takes_its_request_with_it() -> None:
    gate = Gate()
    async with opened(Stamper(gate)) as here:
        async with line(here.port) as one:
            one.send(post())
            await until_true(lambda: gate.entered == 1, "it to be in work")
        await until_true(lambda: here.stamper.cancelled == 1, "it to be given up")
        await until_true(lambda: here.connections == 0, "its connection to be given back")
        assert here.counted("gone") == 1


@pytest.mark.parametrize(
    "said",
    [b"", b"POST /tsa HT", post()[: -len(QUERY) - 2], post() + b"POST"],
    ids=["nothing", "half a line", "half a head", "one request, then half a line"],
)
async def test_a_connection_that_lets_us_wait_is_closed(said: bytes) -> None:
    async with opened(idle_s=1.0) as here, line(here.port) as one:
        one.send(said)
        if said.startswith(post()):
            assert (await one.answer()).status == 200
        assert await one.ended() == b""
        await until_true(lambda: here.connections == 0, "it to be given back")


async def test_a_body_that_comes_byte_by_byte_has_no_longer_than_any() -> None:
    async with opened(idle_s=1.0) as here, line(here.port) as one:
        one.send(post()[: -len(QUERY)])

        async def trickle() -> None:
            for byte in QUERY:
                one.send(bytes((byte,)))
                await asyncio.sleep(0.05)

        trickling = asyncio.create_task(trickle())
        answer = await one.answer()
        trickling.cancel()
        assert answer.status == 408
        await one.ended()


async def test_one_who_asks_but_takes_no_answers_is_ended_and_holds_little() -> None:
    async with opened(idle_s=1.0) as here:
        reader, writer = await asyncio.open_connection("127.0.0.1", here.port, limit=1)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        raw = post() * 50
        try:
            while here.connections:
                writer.write(raw)
                await asyncio.wait_for(writer.drain(), 0.1)
        except (TimeoutError, OSError):
            pass
        await until_true(lambda: here.connections == 0, "the connection to be ended")
        assert here.counted("granted") < 5000, "answers nobody takes are not made for ever"
        writer.transport.abort()
        del reader
        assert (await asked(here.port, post())).status == 200


async def test_closing_answers_what_is_in_work_and_takes_nothing_new() -> None:
    gate = Gate()
    async with opened(Stamper(gate)) as here, line(here.port) as busy, line(here.port) as idle:
        idle.send(post(b"", method="GET"))
        await idle.answer()
        busy.send(post())
        await until_true(lambda: gate.entered == 1, "it to be in work")
        closing = asyncio.create_task(here.door.close(20))
        await idle.ended()
        with pytest.raises(OSError, match=r"refused|Connect call failed"):
            await asked(here.port, post())
        gate.open.set()
        assert (await busy.answer()).failure == ""
        await busy.ended()
        await asyncio.wait_for(closing, 20)
        assert here.connections == 0


async def test_closing_waits_for_nobody_beyond_its_time() -> None:
    gate = Gate()
    async with opened(Stamper(gate)) as here, line(here.port) as one:
        one.send(post())
        await until_true(lambda: gate.entered == 1, "it to be in work")
        await asyncio.wait_for(here.door.close(0.2), 20)
        await one.ended()
        await until_true(lambda: here.connections == 0, "the connection to be ended")


async def test_an_address_in_use_is_named() -> None:
    async with opened() as here:
        with pytest.raises(ConfigError, match=r"\[timestamp.http\] listen"):
            async with opened(listen=f"127.0.0.1:{here.port}"):
                pass


async def test_a_handshake_that_does_not_come_is_not_waited_for(tmp_path: Path) -> None:
    TlsPki.create().server().write_pem(tmp_path, "server")
    settings: dict[str, Any] = {"tls_certificate": tmp_path / "server.crt", "tls_private_key": tmp_path / "server.key"}
    async with opened(idle_s=0.3, connections_max=1, **settings) as here:
        async with line(here.port) as one:
            await one.ended()
        await until_true(lambda: here.connections == 0, "the connection to be given back")


async def test_handshakes_of_one_client_are_bounded_in_number_a_second_because_each_costs_a_signature(tmp_path: Path) -> None:
    pki = TlsPki.create()
    pki.server().write_pem(tmp_path, "server")
    write_certificates(tmp_path / "ca.crt", pki.certificate)
    settings: dict[str, Any] = {"tls_certificate": tmp_path / "server.crt", "tls_private_key": tmp_path / "server.key"}
    trust = ssl.create_default_context(cafile=tmp_path / "ca.crt")
    refused = 0
    async with opened(address_connections_max=2, idle_s=30, **settings) as here:
        for _ in range(20):
            try:
                await asked(here.port, post(), ssl=trust, server_hostname="localhost")
            except (OSError, asyncio.IncompleteReadError):
                refused += 1
    assert refused > 0


def test_an_allowance_is_a_seconds_worth_at_once_and_then_evenly() -> None:
    ten = Allowance(10)
    assert [ten.take(100.0) for _ in range(10)] == [0.0] * 10
    assert ten.take(100.0) == pytest.approx(0.1)
    assert ten.take(100.1) == 0.0
    assert ten.take(100.1) > 0
    assert Allowance(0).take(1.0) == 0.0
    slow = Allowance(0.1)
    assert slow.take(5.0) == 0.0
    assert slow.take(6.0) == pytest.approx(9.0)


def test_allowances_that_are_whole_again_are_forgotten() -> None:
    each = Allowances(1)
    for number in range(1000):
        assert each.take(f"10.0.0.{number}", 0.0) == 0.0
    assert len(each) == 1000
    assert each.take("10.0.0.1", 0.5) > 0
    each.take("another", 5.0)
    assert len(each) == 1


def test_an_ipv6_host_can_not_multiply_itself() -> None:
    assert account_of("2001:db8::1") == account_of("2001:db8::ffff:2")
    assert account_of("2001:db8::1") != account_of("2001:db8:0:1::1")
    assert account_of("::ffff:192.0.2.1") == account_of("192.0.2.1")
    assert account_of("fe80::1%eth0") == "fe80::"
