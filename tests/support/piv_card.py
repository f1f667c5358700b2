"""A PIV card (NIST SP 800-73-4) over vpcd's socket: what a USB token is to pcscd and OpenSC, everything above it real.

    python -m tests.support.piv_card PORT FOLDER

A process of its own, as a card is a device of its own. FOLDER (see `virtual_card`): `SLOT.key` private keys, and `card.json` with what else
is on it. Commands come on standard input, one a line, each answered by its own line: `insert`, `pull`, `delay SECONDS` (of each signature,
half before and half after the key is used), `tries N`. Key uses and PIN tries are appended to `log`, the use before it happens.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
_ATR: Final = bytes.fromhex("3B8B0180F9A0000003080000100048")
_AID: Final = bytes.fromhex("A000000308000010000100")
_APPLICATION: Final = bytes.fromhex("61114F0600001000010079074F05A000000308")
_POWER_OFF, _POWER_ON, _RESET, _ATR_WANTED = b"\x00", b"\x01", b"\x02", b"\x04"
_FASC_N: Final = bytes.fromhex("D4E739DA739CED39CE739D836858210842108421C84210C3EB")
"""Of a card that no federal agency issued: its number is then the GUID."""
_OK: Final = b"\x90\x00"
_NOT_FOUND: Final = b"\x6a\x82"
_NOT_ALLOWED: Final = b"\x69\x82"
_BLOCKED: Final = b"\x69\x83"
_UNKNOWN: Final = b"\x6d\x00"
_CHAINED, _PART_MAX = 0x10, 256
_TAG_CHUID, _TAG_CCC, _TAG_DISCOVERY = "5fc102", "5fc107", "7e"
_TAGS_BY_SLOT: Final = {"9a": "5fc105", "9c": "5fc10a"}
_ALWAYS: Final = "9c"
"""The slot whose key wants the PIN right before each signature."""


def tlv(tag: bytes | str, *parts: bytes) -> bytes:
    """A DER-like element."""
    value = b"".join(parts)
    size = len(value)
    length = bytes([size]) if size < 0x80 else bytes([0x81, size]) if size < 0x100 else b"\x82" + size.to_bytes(2)
    return (bytes.fromhex(tag) if isinstance(tag, str) else tag) + length + value


def elements(data: bytes) -> dict[int, bytes]:
    """Elements with one-byte tags, by tag."""
    found, at = {}, 0
    while at < len(data):
        tag, size, at = data[at], data[at + 1], at + 2
        if size > 0x80:
            count = size - 0x80
            size, at = int.from_bytes(data[at : at + count]), at + count
        found[tag], at = data[at : at + size], at + size
    return found


@dataclass
class Card:
    """The card's own state, which outlives every reader it is put into. tries: left for the PIN."""

    keys: dict[str, Key]
    objects: dict[str, bytes]
    pin: bytes
    tries_max: int
    log: Path
    tries: int = 0
    delay_s: float = 0.0
    is_verified: bool = False
    is_fresh: bool = False
    _chain: bytes = b""
    _rest: bytes = b""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def load(cls, folder: Path) -> Card:
        """From its folder; every try of the PIN is left."""
        about = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        keys = {slot: load_pem_private_key((folder / f"{slot}.key").read_bytes(), None) for slot in about["certificates"]}
        objects = {
            _TAGS_BY_SLOT[slot]: tlv("53", tlv("70", bytes.fromhex(der)), b"\x71\x01\x00\xfe\x00")
            for slot, der in about["certificates"].items()
        }
        guid = bytes.fromhex(about["guid"])
        objects[_TAG_CHUID] = tlv("53", tlv("30", _FASC_N), tlv("34", guid), tlv("35", b"20351231"), b"\x3e\x00\xfe\x00")
        marks = b"\xf1\x01\x21\xf2\x01\x21\xf3\x00\xf4\x01\x00\xf5\x01\x10\xf6\x00\xf7\x00\xfa\x00\xfb\x00\xfc\x00\xfd\x00\xfe\x00"
        objects[_TAG_CCC] = tlv("53", tlv("f0", bytes.fromhex("a000000116ff02") + guid[:14]), marks)
        objects[_TAG_DISCOVERY] = tlv("7e", tlv("4f", _AID), tlv("5f2f", b"\x40\x00"))
        typed = {slot: key for slot, key in keys.items() if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)}
        return cls(typed, objects, about["pin"].encode(), about["tries"], folder / "log", about["tries"])

    def reset(self) -> None:
        """What loss of power does: the PIN is forgotten."""
        self.is_verified = self.is_fresh = False
        self._chain = self._rest = b""

    def answer(self, apdu: bytes) -> bytes:
        """An APDU's response, in parts of 256 bytes where it is longer."""
        cla, instruction, p1, p2 = apdu[:4]
        body = apdu[5 : 5 + apdu[4]] if len(apdu) > 5 else b""
        if instruction == 0xC0:
            return self._part()
        if cla & _CHAINED:
            self._chain += body
            return _OK
        data, self._chain = self._chain + body, b""
        with self._lock:
            said = self._carry_out(instruction, p1, p2, data)
        if len(said) <= _PART_MAX + len(_OK):
            return said
        self._rest = said
        return self._part()

    def _part(self) -> bytes:
        content, status = self._rest[:-2], self._rest[-2:]
        part, left = content[:_PART_MAX], content[_PART_MAX:]
        self._rest = left + status if left else b""
        return part + (bytes([0x61, len(left) if len(left) < _PART_MAX else 0]) if left else status)

    def _carry_out(self, instruction: int, p1: int, p2: int, data: bytes) -> bytes:
        match instruction:
            case 0xA4:
                return _APPLICATION + _OK if _AID.startswith(data[: len(_AID)]) and data else _NOT_FOUND
            case 0xCB:
                found = self.objects.get(elements(data).get(0x5C, b"").hex())
                return found + _OK if found else _NOT_FOUND
            case 0x20:
                return self._verify(data)
            case 0x87:
                return self._sign(p1, f"{p2:02x}", data)
            case _:
                return _UNKNOWN

    def _verify(self, padded: bytes) -> bytes:
        if not padded:
            return _OK if self.is_verified else self._tries_left()
        if not self.tries:
            return _BLOCKED
        is_right = padded.rstrip(b"\xff") == self.pin
        self._write_down("pin", "right" if is_right else "wrong")
        self.tries = self.tries_max if is_right else self.tries - 1
        self.is_verified = self.is_fresh = is_right
        return _OK if is_right else self._tries_left()

    def _tries_left(self) -> bytes:
        return bytes([0x63, 0xC0 | self.tries]) if self.tries else _BLOCKED

    def _sign(self, _algorithm: int, slot: str, data: bytes) -> bytes:
        key, wanted = self.keys.get(slot), elements(elements(data).get(0x7C, b"")).get(0x81, b"")
        if key is None or not wanted:
            return _NOT_FOUND
        if not self.is_verified or (slot == _ALWAYS and not self.is_fresh):
            return _NOT_ALLOWED
        self.is_fresh = False
        time.sleep(self.delay_s / 2)
        self._write_down("key", wanted[-32:].hex())
        if isinstance(key, rsa.RSAPrivateKey):
            numbers = key.private_numbers()
            signature = pow(int.from_bytes(wanted), numbers.d, numbers.public_numbers.n).to_bytes(key.key_size // 8)
        else:
            signature = key.sign(wanted, ec.ECDSA(Prehashed(SHA256())))
        time.sleep(self.delay_s / 2)
        return tlv("7c", tlv("82", signature)) + _OK

    def _write_down(self, kind: str, what: str) -> None:
        with self.log.open("a", encoding="ascii") as file:
            file.write(f"{kind} {what} {time.monotonic_ns()}\n")


class Slot:
    """The card's place in a reader: a connection to vpcd while it is inserted, none while it is pulled.

    A card that was just put in has no power and answers nothing, and a reader's driver that finds it so says once that there is no card
    (libccid: an inactive card where an active one was left). So pcscd never misses a swap between two of its looks, however quick. vpcd
    would: it takes the next card's connection in the same look that ends the last one's. Here the card therefore hangs up until it was
    looked for once.
    """

    def __init__(self, card: Card, port: int) -> None:
        self._card = card
        self._port = port
        self._lock = threading.Lock()
        self._connection: socket.socket | None = None

    def insert(self) -> None:
        """Power comes with the first command that finds it."""
        connection = self._connection = self._connect()
        threading.Thread(target=self._stay, args=(connection,), daemon=True).start()

    def pull(self) -> None:
        """At once, also in the middle of a signature."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            _hang_up(connection)

    def _stay(self, connection: socket.socket | None) -> None:
        self._card.reset()
        was_looked_for = False
        with contextlib.suppress(OSError):
            while connection is not None and not was_looked_for:
                was_looked_for = _receive(connection) == _ATR_WANTED
                connection = self._reconnect(connection)
            if connection is not None:
                self._obey(connection)

    def _obey(self, connection: socket.socket) -> None:
        while message := _receive(connection):
            if message in (_POWER_OFF, _POWER_ON, _RESET):
                self._card.reset()
            elif message == _ATR_WANTED:
                _send(connection, _ATR)
            else:
                _send(connection, self._card.answer(message))

    def _reconnect(self, connection: socket.socket) -> socket.socket | None:
        """None when the card was pulled meanwhile."""
        with self._lock:
            if self._connection is not connection:
                return None
            _hang_up(connection)
            self._connection = self._connect()
            return self._connection

    def _connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self._port), timeout=60)
        connection.settimeout(None)
        return connection


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # vpcd may have been quicker
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def _receive(connection: socket.socket) -> bytes:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
    size = int.from_bytes(_exactly(connection, 2))
    return _exactly(connection, size)


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            return b""
        data += part
    return data


def _send(connection: socket.socket, message: bytes) -> None:
    connection.sendall(len(message).to_bytes(2) + message)


def main() -> None:
    """Obeys until standard input ends."""
    card = Card.load(Path(sys.argv[2]))
    slot = Slot(card, int(sys.argv[1]))
    for line in sys.stdin:
        match line.split():
            case ["insert"]:
                slot.insert()
            case ["pull"]:
                slot.pull()
            case ["delay", seconds]:
                card.delay_s = float(seconds)
            case ["tries", count]:
                card.tries = int(count)
                card.is_verified = card.is_fresh = False  # wrong tries end what a right one allowed (SP 800-73-4)
        print(line.strip(), flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
