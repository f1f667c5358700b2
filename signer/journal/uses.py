"""What was signed under an authorisation: each entry of its list once, as one document. Part of the commit that makes intents durable.

So the row says at every key use whether its holder still allows it, and which entries are done, whichever process asks.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, LargeBinary, Select, String, and_, column, select, values

from signer.errors import AuthorizationExhausted, AuthorizationSpent
from signer.journal.model import Intent
from signer.people.authorization import AuthorizationState
from signer.store import activation_tables as tables
from signer.store.statements import ManyRows, inserting

_use = tables.signing_authorization_use
_authorization = tables.signing_authorization


def new_uses(connection: Connection, intents: Sequence[Intent]) -> list[tuple[str, bytes, str]]:
    """The uses that these intents add; nothing is written yet.

    Raises:
        AuthorizationSpent: an authorisation does not serve the intents' request, or serves nothing any more.
        AuthorizationExhausted: an entry was signed as another document.
    """
    wanted = {(intent.authorization_id, intent.entry): intent for intent in intents if intent.authorization_id}
    if not wanted:
        return []
    _require_serving(connection, list(wanted.values()))
    done = _done(connection, list(wanted))
    twice = len(wanted) < sum(1 for intent in intents if intent.authorization_id)
    if twice or any(document != wanted[key].key.document_id for key, document in done.items()):
        raise AuthorizationExhausted("a document of the list was signed under another document_id already; the list allows it once")
    return [(*key, intent.key.document_id) for key, intent in wanted.items() if key not in done]


def keep_uses(connection: Connection, uses: Sequence[tuple[str, bytes, str]]) -> None:
    """Writes them."""
    if uses:
        _INSERT_USES.execute(connection, uses)


def _require_serving(connection: Connection, intents: Sequence[Intent]) -> None:
    for authorization_id in {intent.authorization_id for intent in intents}:
        [(state, request_id)] = _STATES.fetch(connection, [(authorization_id,)]) or [("", "")]
        requests = {intent.key.request_id for intent in intents if intent.authorization_id == authorization_id}
        if state != AuthorizationState.SPENT.value or requests != {request_id}:
            raise AuthorizationSpent("the authorisation serves this request no more; ask its holder for a new one")


def _done(connection: Connection, keys: Sequence[tuple[str, bytes]]) -> dict[tuple[str, bytes], str]:
    return {(row[0], bytes(row[1])): row[2] for row in _DONE.fetch(connection, keys)}


def _of_wanted(count: int) -> Select[tuple[str, bytes, str]]:
    """The rows of `count` keys; joined for the reason that `rows` joins."""
    wanted = values(column("authorization_id", String), column("entry", LargeBinary), name="wanted").data([("", b"")] * count).cte("wanted")
    return select(_use).join_from(_use, wanted, and_(*(part == wanted.c[part.name] for part in _use.primary_key)))


_INSERT_USES = inserting(_use)
_STATES = ManyRows(
    lambda _dialect, _count: select(_authorization.c.state, _authorization.c.spent_by).where(_authorization.c.authorization_id == "")
)
"""Of one authorisation."""
_DONE = ManyRows(lambda _dialect, count: _of_wanted(count))
