"""The documents of one batch on their way: new, sent, to be sent again. Shared by the caller's thread and gRPC's sending thread.

One lock guards everything. A stream takes documents under its turn; when a stream has ended, a new turn begins and whatever the old
one had sent without an outcome is due again, so no document is lost or in two streams at once.
"""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from signer.client.values import Document, DocumentResult
from signer.errors import DuplicateDocumentId, InvalidArgument, SignerError


@dataclass(slots=True)
class Item:
    """A document with its state. attempts: answers it has had. content and hasher (SHA-256 over it) are held while it is sent only."""

    document: Document
    attempts: int = 0
    content: bytes = b""
    hasher: hashlib._Hash = field(default_factory=hashlib.sha256)


class Supply:
    """Hands out each document of `documents` once a turn; `documents` is read as it is needed, from gRPC's thread."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._lock = threading.Lock()
        self._source = iter(documents)
        self._source_ended = False
        self._source_error: Exception | None = None
        self._seen: set[str] = set()
        self._due: deque[Item] = deque()
        self._later: list[Item] = []
        self._sent: dict[str, Item] = {}
        self._refused: list[DocumentResult] = []
        self._turn = 0

    def next_turn(self) -> int:
        """Ends the running turn: its documents without an outcome are due first in the new one."""
        with self._lock:
            self._turn += 1
            for item in self._sent.values():
                item.content = b""
            self._due.extendleft(reversed([*self._sent.values(), *self._later]))
            self._sent.clear()
            self._later.clear()
            return self._turn

    def take(self, turn: int) -> Item | None:
        """The next document to send, read; None when there is none or the turn is over."""
        with self._lock:
            while turn == self._turn and (item := self._next()) is not None:
                if self._load(item):
                    self._sent[item.document.id] = item
                    return item
            return None

    def settle(self, document_id: str) -> Item | None:
        """The document that an answer is for; None when none is awaited."""
        with self._lock:
            return self._sent.pop(document_id, None)

    def put_back(self, item: Item) -> None:
        """The document shall be sent again, in the next turn."""
        item.content = b""
        with self._lock:
            self._later.append(item)

    def refused(self) -> list[DocumentResult]:
        """Outcomes of documents that were never sent, since the last call."""
        with self._lock:
            refused, self._refused = self._refused, []
            return refused

    @property
    def sent_count(self) -> int:
        """Documents sent in this turn that wait for their answer."""
        with self._lock:
            return len(self._sent)

    @property
    def is_done(self) -> bool:
        """Whether every document has its outcome."""
        with self._lock:
            return self._source_ended and not (self._due or self._later or self._sent or self._refused)

    @property
    def source_error(self) -> Exception | None:
        """What `documents` raised, if it did; it then counts as ended."""
        return self._source_error

    def _next(self) -> Item | None:
        if self._due:
            return self._due.popleft()
        while not self._source_ended:
            try:
                document = next(self._source)
            except StopIteration:
                self._source_ended = True
            except Exception as error:  # noqa: BLE001  # the caller's own; raised in the caller's thread once the rest is settled
                self._source_ended, self._source_error = True, error
            else:
                if document.id not in self._seen:
                    self._seen.add(document.id)
                    return Item(document)
                self._refuse(document.id, DuplicateDocumentId(f"document id {document.id!r} came twice; the first one goes on"))
        return None

    def _load(self, item: Item) -> bool:
        try:
            item.content = item.document.read()
        except OSError as error:
            self._refuse(item.document.id, InvalidArgument(f"the document can't be read: {error.strerror}", field="document"))
            return False
        item.hasher = hashlib.sha256(item.content)
        return True

    def _refuse(self, document_id: str, error: SignerError) -> None:
        self._refused.append(DocumentResult(document_id, error, attempts=0))
