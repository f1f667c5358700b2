"""The page for people on rooms in memory: what is asked of `control` is answered here, so that the door can be tested by itself."""

from __future__ import annotations

import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
from prometheus_client import CollectorRegistry

from signer.config.pages import PagesSettings
from signer.control.challenges import Challenge
from signer.control.passkeys import Attestation
from signer.demo.tls_pki import TlsPki
from signer.errors import AuthorizationNotFound, FactorsRefused, InvalidArgument, NotServedYet
from signer.model import Role
from signer.people.approval import Approval, ApprovalKind, ApprovalState, ApprovalStep, Decision
from signer.people.authorization import (
    Authorization,
    AuthorizationState,
    AuthorizationTarget,
    ListBinding,
    Presentation,
    PresentedItem,
    SignableList,
)
from signer.people.factor import Factor, FactorKind, Passkey, PinFactor, TotpFactor
from signer.people.person import Person
from signer.secrets import Secret
from signer.server.pages import PageRooms, PagesDoor, pages_door
from signer.telemetry.metrics import Metrics

TEACHER = Person("gv-lan", "Nguyễn Thị Lan")
PIN, CODE, TOTP = "836251", "ABCD-EFGH", "123456"
ORIGIN = "https://ky.example"
_CSRF = re.compile(r'name="csrf" value="([0-9a-f]{64})"')
_COOKIE = "__Host-signer"


@dataclass
class Clock:
    """Seconds, moved by hand."""

    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Desk:
    """People, codes and factors. tries: how often factors were looked at. wait_s: told with a refusal."""

    people: dict[str, Person] = field(default_factory=lambda: {TEACHER.id: TEACHER})
    pins: dict[str, str] = field(default_factory=lambda: {TEACHER.id: PIN})
    tries: int = 0
    wait_s: float | None = None

    async def find(self, person_id: str) -> Person | None:
        return self.people.get(person_id)

    async def look(self, person_id: str, code: Secret) -> Person:
        if person_id not in self.people or code.reveal() != CODE:
            raise FactorsRefused("no")
        return self.people[person_id]

    def require_fit(self, pin: Secret) -> None:
        if len(pin.reveal()) < 6:
            raise InvalidArgument("too short")

    async def set_factors(self, person_id: str, code: Secret, pin: Secret, totp_seed: bytes, totp: Secret) -> None:
        assert len(totp_seed) == 20
        await self.look(person_id, code)
        if totp.reveal() != TOTP:
            raise InvalidArgument("no")
        self.pins[person_id] = pin.reveal()

    async def require(self, person_id: str, factors: Sequence[Factor], *, purpose: bytes) -> frozenset[FactorKind]:
        assert len(purpose) == 32
        self.check(person_id, factors)
        return frozenset({FactorKind.PIN, FactorKind.TOTP})

    def check(self, person_id: str, factors: Sequence[Factor]) -> None:
        if len(factors) != 2:
            raise InvalidArgument("too few")
        self.tries += 1
        pin, totp = factors
        assert isinstance(pin, PinFactor)
        assert isinstance(totp, TotpFactor)
        if self.pins.get(person_id) != pin.pin.reveal() or totp.code.reveal() != TOTP:
            raise FactorsRefused("no", retry_after_s=self.wait_s)

    async def challenge(self, person_id: str, purpose: bytes, *, is_known: bool = False) -> Challenge:  # noqa: ARG002  # as the door
        raise NotServedYet(f"no passkeys for {person_id} and {len(purpose)} bytes")

    async def change_pin(self, person_id: str, factors: Sequence[Factor], pin: Secret) -> None:
        self.require_fit(pin)
        self.check(person_id, factors)
        self.pins[person_id] = pin.reveal()

    async def passkeys(self, person_id: str) -> Sequence[Passkey]:
        del person_id
        return ()

    async def begin_passkey(self, person_id: str) -> Challenge:
        raise NotServedYet(f"no passkeys for {person_id}")

    async def add_passkey(self, person_id: str, factors: Sequence[Factor], attestation: Attestation) -> None:
        self.check(person_id, factors)
        raise InvalidArgument(f"{attestation.label} answers no challenge")

    async def remove_passkey(self, person_id: str, factors: Sequence[Factor], passkey_id: bytes) -> None:
        del passkey_id
        self.check(person_id, factors)


@dataclass
class Asked:
    """What school software asked for."""

    desk: Desk
    pending: list[Authorization] = field(default_factory=list)
    over: list[Authorization] = field(default_factory=list)
    granted: list[tuple[str, ...]] = field(default_factory=list)
    rejected: list[tuple[str, ...]] = field(default_factory=list)

    async def waiting(self, person_id: str) -> Sequence[Authorization]:
        return [each for each in self.pending if each.person_id == person_id]

    def purpose(self, authorizations: Sequence[Authorization]) -> bytes:
        return bytes(32) if authorizations else b""

    async def grant(self, person_id: str, authorization_ids: Sequence[str], factors: Sequence[Factor]) -> None:
        self._require(person_id, authorization_ids)
        self.desk.check(person_id, factors)
        self.granted.append(tuple(authorization_ids))
        self.pending.clear()

    async def reject(self, person_id: str, authorization_ids: Sequence[str]) -> None:
        self._require(person_id, authorization_ids)
        self.rejected.append(tuple(authorization_ids))
        self.pending.clear()

    async def decided(self, person_id: str, *, after: str, limit: int) -> Sequence[Authorization]:
        mine = [each for each in self.over if each.person_id == person_id]
        begin = next((at + 1 for at, each in enumerate(mine) if each.id == after), 0)
        return mine[begin : begin + limit]

    async def documents(self, person_id: str, authorization_id: str) -> Sequence[str]:
        if not any(each.id == authorization_id and each.person_id == person_id for each in self.over):
            raise AuthorizationNotFound("no")
        return [f"card-{at:03}" for at in range(250)]

    def _require(self, person_id: str, authorization_ids: Sequence[str]) -> None:
        known = {each.id for each in self.pending if each.person_id == person_id}
        if not known.issuperset(authorization_ids):
            raise AuthorizationNotFound("no")


@dataclass
class FourEyes:
    """What awaits somebody's word."""

    desk: Desk
    open: list[Approval] = field(default_factory=list)
    said: list[tuple[str, str, Decision, str]] = field(default_factory=list)

    async def awaiting(self, person_id: str) -> Sequence[Approval]:
        return self.open if person_id == TEACHER.id else ()

    async def decide(self, approval_id: str, person_id: str, decision: Decision, comment: str, factors: Sequence[Factor]) -> Approval:
        self.desk.check(person_id, factors)
        self.said.append((approval_id, person_id, decision, comment))
        return self.open[0]

    def purpose(self, approval: Approval, decision: Decision) -> bytes:
        return approval.id.encode() + decision.value.encode()


class Names:
    """Ids as names."""

    async def client(self, client_id: str) -> str:
        return f"Phần mềm {client_id}"

    async def school(self, school_id: str) -> str:
        return f"Trường {school_id}"

    async def person(self, person_id: str) -> str:
        return f"Cô {person_id}"


def asked(
    authorization_id: str, *, items: int = 3, class_name: str = "12A1", state: AuthorizationState = AuthorizationState.PENDING
) -> Authorization:
    """An authorisation for a class."""
    shown = Presentation(
        class_name,
        "THPT Demo",
        Role.HOMEROOM_TEACHER,
        "",
        "Ký học bạ <lớp>",
        b"",
        tuple(PresentedItem(f"d{at}", bytes(32), f"Em <b>{at}</b>") for at in range(items)),
    )
    target = AuthorizationTarget(
        "79000001", "gvcn", SignableList(ListBinding.DIGEST, bytes(32), 3, source_documents=True), shown, role=Role.HOMEROOM_TEACHER
    )
    now = datetime.now(UTC)
    return Authorization(authorization_id, target, state, TEACHER.id, "vnedu", now, now + timedelta(minutes=30))


def approval(approval_id: str) -> Approval:
    """One that awaits a principal's word."""
    step = ApprovalStep(frozenset({Role.PRINCIPAL}), "Hiệu trưởng đồng ý")
    now = datetime.now(UTC)
    parts = (ApprovalKind.CORRECTION, "79000001", "record-1", "gv-hoa", "Sai điểm toán", (step,), ApprovalState.PENDING)
    return Approval(approval_id, *parts, now, now + timedelta(days=1), {"replacementRecordUuid": "u-2"}, "Toán: 5 → <b>9</b>")


@dataclass(frozen=True)
class Page:
    """An answer. cookies: Set-Cookie lines."""

    status: int
    text: str
    headers: Mapping[str, str]
    cookies: tuple[str, ...]


@dataclass
class Browser:
    """As little of one as the door needs: a cookie jar of two names, and forms with the page's own token."""

    session: aiohttp.ClientSession
    port: int
    jar: dict[str, str] = field(default_factory=dict)
    csrf: str = ""

    async def get(self, path: str, **headers: str) -> Page:
        return await self._ask("GET", path, None, headers)

    async def post(self, path: str, body: Any = None, *, headers: Any = None, **fields: str) -> Page:
        """A form; with the token of the last page unless another is given."""
        form = body if body is not None else urlencode({"csrf": self.csrf, **fields})
        return await self._ask(
            "POST", path, form, {"Content-Type": "application/x-www-form-urlencoded", "Origin": ORIGIN, **(headers or {})}
        )

    async def sign_in(self, person_id: str = TEACHER.id, pin: str = PIN, totp: str = TOTP, place: str = "/") -> Page:
        await self.get("/sign-in")
        return await self.post("/sign-in", person_id=person_id, pin=pin, totp=totp, place=place)

    @property
    def cookie(self) -> str:
        return self.jar.get(_COOKIE, "")

    async def _ask(self, method: str, path: str, body: str | None, headers: Mapping[str, str]) -> Page:
        sent = {"Host": "ky.example", "Cookie": "; ".join(f"{name}={value}" for name, value in self.jar.items()), **headers}
        url = f"https://127.0.0.1:{self.port}{path}"
        async with self.session.request(method, url, data=body, headers=sent, allow_redirects=False) as answer:
            text = await answer.text()
            cookies = tuple(answer.headers.getall("Set-Cookie", []))
            for line in cookies:
                name, _, value = line.partition(";")[0].partition("=")
                self.jar[name] = value
                if not value:
                    del self.jar[name]
            if found := _CSRF.search(text):
                self.csrf = found[1]
            return Page(answer.status, text, dict(answer.headers), cookies)


@dataclass
class Opened:
    door: PagesDoor
    desk: Desk
    asked: Asked
    four_eyes: FourEyes
    clock: Clock
    port: int
    registry: CollectorRegistry
    session: aiohttp.ClientSession

    def browser(self) -> Browser:
        """A fresh one."""
        return Browser(self.session, self.port)


def unproven() -> ssl.SSLContext:
    """TLS that believes anybody, and so reads no CAs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@contextlib.asynccontextmanager
async def opened(folder: Path, **settings: object) -> AsyncIterator[Opened]:
    """The door, open, and a client that believes it."""
    pki = TlsPki.create()
    certificate, key = pki.server().write_pem(folder, "pages")
    made = PagesSettings(**{"listen": "127.0.0.1:0", "origin": ORIGIN, "tls_certificate": certificate, "tls_private_key": key, **settings})  # type: ignore[arg-type]
    registry, clock, desk = CollectorRegistry(), Clock(), Desk()
    asked_for, four_eyes = Asked(desk), FourEyes(desk)
    door = pages_door(made, PageRooms(desk, desk, desk, asked_for, four_eyes, Names()), Metrics.on(registry), clock)
    port = await door.open()
    context = unproven()
    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context), cookie_jar=aiohttp.DummyCookieJar()) as session:
            yield Opened(door, desk, asked_for, four_eyes, clock, port, registry, session)
    finally:
        await door.close(1.0)
