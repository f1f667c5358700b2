"""The documents of one batch on their way: new, sent, to be sent again. Shared by the caller's thread and gRPC's sending thread.

One lock guards everything. A stream takes documents under its turn; when a stream has ended, a new turn begins and whatever the old
one had sent without an outcome is due again, so no document is lost or in two streams at once. What is sent and not yet answered is held
in memory, and bounded: a slow caller stops the reading of documents, however much the network and the daemon would still take.
"""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Iterable, Sized
from dataclasses import dataclass, field

from signer.client.values import Document, DocumentResult
from signer.errors import DuplicateDocumentId, InvalidArgument, SignerError

IN_FLIGHT_BYTES_MAX = 32 * 1024 * 1024
"""Documents held at once; a larger one goes alone."""


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
        self._lock = threading.Condition()
        self._source = iter(documents)
        self._is_at_hand = isinstance(documents, Sized)
        self._source_ended = False
        self._source_error: Exception | None = None
        self._seen: set[str] = set()
        self._due: deque[Item] = deque()
        self._later: list[Item] = []
        self._sent: dict[str, Item] = {}
        self._refused: list[DocumentResult] = []
        self._sent_bytes = 0
        self._turn = 0

    def next_turn(self) -> int:
        """Ends the running turn: its documents without an outcome are due first in the new one."""
        with self._lock:
            self._turn += 1
            self._sent_bytes = 0
            for item in self._sent.values():
                item.content = b""
            self._due.extendleft(reversed([*self._sent.values(), *self._later]))
            self._sent.clear()
            self._later.clear()
            return self._turn

    def end_turn(self) -> None:
        """Whoever still waits in `take` gets None."""
        with self._lock:
            self._turn += 1
            self._lock.notify_all()

    def take(self, turn: int) -> Item | None:
        """The next document to send, read, once there is room for it; None when there is none or the turn is over."""
        with self._lock:
            while turn == self._turn and (item := self._next()) is not None:
                if self._load(item):
                    self._sent[item.document.id] = item
                    self._sent_bytes += len(item.content)
                    self._lock.wait_for(lambda: turn != self._turn or self._sent_bytes <= IN_FLIGHT_BYTES_MAX or len(self._sent) <= 1)
                    return item if turn == self._turn else None
            return None

    def take_more(self, turn: int, bytes_max: int) -> Item | None:
        """The next document if it can be had at once and has at most bytes_max: one that would be waited for is left for `take`."""
        with self._lock:
            if turn != self._turn or not (self._due or self._is_at_hand) or (item := self._next()) is None or not self._load(item):
                return None
            if len(item.content) > min(bytes_max, IN_FLIGHT_BYTES_MAX - self._sent_bytes):
                item.content = b""
                self._due.appendleft(item)
                return None
            self._sent[item.document.id] = item
            self._sent_bytes += len(item.content)
            return item

    def settle(self, document_id: str) -> Item | None:
        """The document that an answer is for; None when none is awaited."""
        with self._lock:
            item = self._sent.pop(document_id, None)
            if item is not None:
                self._sent_bytes -= len(item.content)
                self._lock.notify_all()
            return item

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
