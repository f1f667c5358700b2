"""SIGHUP and ReloadConfiguration: certificates and clients change under open streams; what is faulty is refused as a whole."""

from __future__ import annotations

import signal
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from cryptography import x509

from signer.demo.tls_pki import TlsPki
from tests.support import pdfs
from tests.support.calls import Answers, Request, header, metric, operations_call, reason_of_call, sign_batch, start, stream
from tests.support.daemon import Running, World, running_daemon
from tests.support.openssl_ca import OpensslCa
from tests.support.waiting import until


def served(port: int) -> int:
    """Serial number of the certificate that a new connection is shown."""
    return x509.load_pem_x509_certificate(ssl.get_server_certificate(("localhost", port)).encode()).serial_number


def hang_up(running: Running, event: str) -> None:
    """SIGHUP, and waits until the log tells what became of it."""
    before = sum(each["event"] == event for each in running.events())
    running.process.send_signal(signal.SIGHUP)
    until(lambda: sum(each["event"] == event for each in running.events()) > before, event)


def renew(world: World) -> None:
    """A server certificate of another CA, which clients of the old one do not believe."""
    TlsPki.create().server().write_pem(world.pki, "server")


def edit(config: Path, old: str, new: str) -> None:
    text = config.read_text(encoding="utf-8")
    assert old in text
    config.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(scope="module")
def place(pristine_world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Path, Running]]:
    from tests.support.worlds import copy_of  # noqa: PLC0415  # one fixture's

    world = copy_of(pristine_world, tmp_path_factory.mktemp("reload") / "it")
    config = world.config(token={"processes": 1}, documents={"processes": 1})
    with running_daemon(config) as running:
        yield world, config, running


def test_a_faulty_configuration_is_refused_and_the_old_one_stays(place: tuple[World, Path, Running]) -> None:
    world, config, running = place
    shown, text = served(running.port), config.read_text(encoding="utf-8")
    edit(config, "[metrics]", "[metrics]\nno_such_key = 1")
    hang_up(running, "configuration refused")
    assert metric(running.metrics_port(), "signer_config_last_reload_successful") == 0
    with world.channel(running.port, "operator") as operator, pytest.raises(grpc.RpcError) as refused:
        operations_call(operator, "ReloadConfiguration")
    assert reason_of_call(refused.value) == "CONFIG_INVALID"
    assert "no_such_key" in str(refused.value.details())
    assert served(running.port) == shown
    config.write_text(text, encoding="utf-8")
    hang_up(running, "configuration reloaded")
    assert metric(running.metrics_port(), "signer_config_last_reload_successful") == 1


def test_a_certificate_without_its_key_is_refused(place: tuple[World, Path, Running]) -> None:
    world, _config, running = place
    shown, key = served(running.port), (world.pki / "server.key").read_bytes()
    (world.pki / "server.key").write_bytes((world.pki / "school.key").read_bytes())
    hang_up(running, "configuration refused")
    assert served(running.port) == shown
    (world.pki / "server.key").write_bytes(key)
    hang_up(running, "configuration reloaded")


def test_clients_change_at_once_and_the_rest_is_named_for_the_next_start(place: tuple[World, Path, Running]) -> None:
    world, config, running = place
    text = config.read_text(encoding="utf-8")
    with world.channel(running.port, "unlisted") as unlisted, world.channel(running.port, "operator") as operator:
        with pytest.raises(grpc.RpcError) as refused:
            operations_call(unlisted, "ListTokens")
        assert reason_of_call(refused.value) == "CALLER_UNKNOWN"
        new_client = '[[clients]]\nid = "new"\ncommon_name = "unlisted"\nschools = []\noperator = true\n'
        config.write_text(f"{text}\n{new_client}".replace("drain_s = 5", "drain_s = 6"), encoding="utf-8")
        tried = operations_call(operator, "ReloadConfiguration", dry_run=True)
        with pytest.raises(grpc.RpcError):
            operations_call(unlisted, "ListTokens")
        done = operations_call(operator, "ReloadConfiguration")
        assert tried == done
        assert list(done.changed_keys) == ["clients[new]"]
        assert list(done.restart_keys) == ["server.drain_s"]
        assert operations_call(unlisted, "ListTokens").tokens, "on the connection that was open already"
        config.write_text(text, encoding="utf-8")
        operations_call(operator, "ReloadConfiguration")
        with pytest.raises(grpc.RpcError):
            operations_call(unlisted, "ListTokens")


def test_a_clients_certificate_that_its_ca_revokes_is_refused_on_its_open_connection(place: tuple[World, Path, Running]) -> None:
    """The CA and its lists are `openssl ca`'s; until its list is fetched anew its certificate is the client's."""
    world, config, running = place
    ca, text = OpensslCa(world.pki / "openssl"), config.read_text(encoding="utf-8")
    for file in ("lost", "good"):
        ca.client(file, "operator")
    ca.crl()
    with (world.pki / "tls-ca.crt").open("ab") as believed:
        believed.write((ca.folder / "ca.crt").read_bytes())
    edit(config, 'tls_client_ca = "pki/tls-ca.crt"', 'tls_client_ca = "pki/tls-ca.crt"\ntls_client_crls = ["pki/openssl/clients.crl"]')
    hang_up(running, "configuration reloaded")
    assert metric(running.metrics_port(), "signer_client_crl_next_update_timestamp_seconds") > time.time()
    with world.channel(running.port, "openssl/lost") as lost, world.channel(running.port, "openssl/good") as good:
        assert operations_call(lost, "ListTokens").tokens
        ca.revoke("lost")
        ca.crl()
        hang_up(running, "configuration reloaded")
        with pytest.raises(grpc.RpcError) as refused:
            operations_call(lost, "ListTokens")
        assert reason_of_call(refused.value) == "CALLER_UNKNOWN"
        assert "revoked by its CA" in str(refused.value.details())
        assert operations_call(good, "ListTokens").tokens
        (ca.folder / "clients.crl").write_bytes(b"half a li")
        hang_up(running, "configuration refused")
        assert operations_call(good, "ListTokens").tokens, "the lists that were read stay in force"
    config.write_text(text, encoding="utf-8")
    hang_up(running, "configuration reloaded")


def test_a_batch_goes_on_while_the_certificate_is_renewed_under_it(new_world: Callable[[], World]) -> None:
    """Six documents: three before the reload, three after it on the same stream; only a new connection sees the new certificate."""
    world = new_world()
    cards = {f"d{number}": pdfs.report_card(number, pages=1) for number in range(6)}
    reloaded = threading.Event()
    answers: list[Answers] = []
    with running_daemon(world.config(token={"processes": 1}, documents={"processes": 1})) as running, world.channel(running.port) as school:

        def messages() -> Iterator[Request]:
            yield Request(header=header())
            for number, (name, content) in enumerate(cards.items()):
                if number == len(cards) // 2:
                    assert reloaded.wait(60)
                yield start(name, content)

        batch = threading.Thread(target=lambda: answers.append(stream(school, messages())))
        batch.start()
        until(lambda: metric(running.metrics_port(), "signer_batches_in_progress") == 1, "the batch to be open")
        old = served(running.port)
        renew(world)
        hang_up(running, "configuration reloaded")
        until(lambda: served(running.port) != old, "new connections to see the new certificate")
        reloaded.set()
        batch.join()
        assert len(answers[0].signed()) == len(cards)
        assert len(sign_batch(school, {"another": cards["d0"]}).signed()) == 1, "the open connection goes on"


def test_a_pin_that_could_not_be_read_is_read_again(new_world: Callable[[], World]) -> None:
    """No try was spent on it, so it needs no operator's release."""
    world = new_world()
    pin = world.token.pin_file.read_bytes()
    world.token.pin_file.write_bytes(b"")
    with running_daemon(world.config(token={"processes": 1}, documents={"processes": 1})) as running:
        until(lambda: metric(running.metrics_port(), "signer_token_pin_state", token="school-token") == 3, "the PIN to be missed")
        world.token.pin_file.write_bytes(pin)
        hang_up(running, "configuration reloaded")
        until(lambda: metric(running.metrics_port(), "signer_ready") == 1, "the token to sign")
