from dataclasses import replace
from pathlib import Path

from signer.access.settings import ClientSettings
from signer.config import Config
from signer.config.changes import changed_keys
from signer.config.server import LimitSettings, ServerSettings
from signer.tokens.settings import TokenSettings

SERVER = ServerSettings(tls_certificate=Path("a"), tls_private_key=Path("b"), tls_client_ca=Path("c"))
TOKEN = TokenSettings(name="hsm", module=Path("m.so"), label="x")
CONFIG = Config(server=SERVER, tokens=(TOKEN,), clients=(ClientSettings(id="vnedu", common_name="vnedu"),))


def test_nothing_changed_is_nothing_told() -> None:
    assert changed_keys(CONFIG, replace(CONFIG, server=replace(SERVER))) == []


def test_keys_are_named_as_problems_name_them() -> None:
    changed = replace(
        CONFIG,
        server=replace(SERVER, listen="0.0.0.0:1", limits=LimitSettings(batch_documents_max=5)),
        tokens=(replace(TOKEN, processes=4),),
    )
    assert changed_keys(CONFIG, changed) == ["server.limits.batch_documents_max", "server.listen", "tokens[hsm].processes"]


def test_tables_that_come_and_go_are_named_whole_and_their_order_is_none() -> None:
    other = ClientSettings(id="other", common_name="other")
    assert changed_keys(CONFIG, replace(CONFIG, clients=(*CONFIG.clients, other))) == ["clients[other]"]
    assert changed_keys(CONFIG, replace(CONFIG, clients=())) == ["clients[vnedu]"]
    both = replace(CONFIG, clients=(*CONFIG.clients, other))
    assert changed_keys(both, replace(both, clients=both.clients[::-1])) == []


def test_lists_of_values_are_one_key() -> None:
    client = replace(CONFIG.clients[0], schools=("79000001",))
    assert changed_keys(CONFIG, replace(CONFIG, clients=(client,))) == ["clients[vnedu].schools"]
