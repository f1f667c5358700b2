"""Several tokens of one module, told apart by PKCS#11 URI."""

from __future__ import annotations

import msgspec
import pytest

from signer.demo.softhsm import DemoToken, KeyKind, KeySpec, create_token
from signer.errors import TokenRemoved
from signer.tokens.wire import Ready
from signer.workers.process import WorkerProcess
from tests.support.daemon import World
from tests.support.token_worker import spec_of


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, DemoToken, DemoToken]:
    """Two tokens in one directory of SoftHSM's."""
    folder = tmp_path_factory.mktemp("tokens")
    first = create_token(folder / "softhsm", "first", [KeySpec("a", KeyKind.EC_P256)])
    second = create_token(folder / "softhsm", "second", [KeySpec("b", KeyKind.EC_P256)])
    return World(folder, second, folder / "ca.pem", folder / "root.pem"), first, second


async def found_by(world: World, uri: str) -> Ready:
    worker = await WorkerProcess.start(spec_of(world, label="", uri=uri))
    await worker.close()
    return msgspec.msgpack.decode(worker.ready_body, type=Ready)


async def test_each_attribute_of_a_uri_finds_the_token_that_has_it(tokens: tuple[World, DemoToken, DemoToken]) -> None:
    world, first, second = tokens
    of_all = (
        "manufacturer=SoftHSM%20project;model=SoftHSM%20v2;library-manufacturer=SoftHSM;library-description=Implementation%20of%20PKCS11"
    )
    for uri in ("pkcs11:token=second", f"pkcs11:serial={second.serial}", f"pkcs11:token=second;{of_all};library-version=2.6"):
        ready = await found_by(world, uri)
        assert (ready.label, ready.serial) == ("second", second.serial)
        assert [key.label for key in ready.keys] == ["b"]
    slot = (await found_by(world, f"pkcs11:serial={second.serial}")).slot
    assert (await found_by(world, f"pkcs11:slot-id={slot}")).serial == second.serial
    assert first.serial != second.serial


@pytest.mark.parametrize("uri", ["pkcs11:model=SoftHSM%20v2", "pkcs11:token=third", "pkcs11:token=second;manufacturer=Somebody"])
async def test_a_uri_that_means_no_token_or_several_tries_no_pin(uri: str, tokens: tuple[World, DemoToken, DemoToken]) -> None:
    world, _first, _second = tokens
    with pytest.raises(TokenRemoved, match="with pkcs11:"):
        await found_by(world, uri)
