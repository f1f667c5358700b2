"""Any bytes at the page for people, from whoever is signed in as well: an answer below 500 or the connection's end; nothing granted.

SIGNER_FUZZ_EXAMPLES: examples a test, for long runs.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.pages import PIN, TEACHER, Browser, Opened, asked, opened, unproven

EXAMPLES = int(os.environ.get("SIGNER_FUZZ_EXAMPLES", "100"))
fuzz = settings(max_examples=max(5, EXAMPLES // 10), deadline=None, suppress_health_check=list(HealthCheck))
PATHS = ("/", "/sign-in", "/sign-in/passkey", "/sign-out", "/first", "/first/pin", "/first/totp", "/review", "/approval")
MORE_PATHS = ("/signed", "/signed/documents", "/account", "/account/pin", "/account/passkey", "/account/passkey/remove")
FIELDS = ("id", "decision", "comment", "pin", "place", "person_id", "code", "new_pin", "new_pin_again", "removed", "label", "signature")
WORDS = st.sampled_from(["au-1", "agree", "refuse", "grant", PIN, TEACHER.id, "%00", "%ff", "//evil", "", "=&;", "%F0%9F%98%80"]) | st.text(
    st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=20
)


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Head without the cookie's value, and body without the token: both are put in by the test."""
    path = draw(st.sampled_from(PATHS + MORE_PATHS))
    query = draw(st.lists(st.tuples(st.sampled_from(("id", "lang", "after", "decision")), WORDS), max_size=3))
    fields = draw(st.lists(st.tuples(st.sampled_from(FIELDS), WORDS), max_size=6))
    method = draw(st.sampled_from(["GET", "POST", "POST"]))
    extra = draw(st.sampled_from(["", "Accept-Language: \xff;q=x\r\n", "Sec-Fetch-Site: cross-site\r\n", "Origin: null\r\n"]))
    target = path + "".join(f"{'&' if at else '?'}{name}={value}" for at, (name, value) in enumerate(query))
    body = "".join(f"&{name}={value}" for name, value in fields).encode("latin-1")
    head = f"{method} {target} HTTP/1.1\r\nHost: ky.example\r\nContent-Type: application/x-www-form-urlencoded\r\n{extra}"
    return head.encode("latin-1"), body


@fuzz
@given(st.lists(requests(), min_size=4, max_size=12))
def test_whatever_is_asked_is_answered_and_grants_nothing_without_factors(wanted: list[tuple[bytes, bytes]]) -> None:
    async def meet(folder: Path) -> None:
        async with opened(folder, address_tries_per_minute_max=10_000, address_per_second_max=0, idle_s=1.0) as here:
            here.asked.pending.append(asked("au-1"))
            browser = here.browser()
            await browser.sign_in()
            await browser.get("/")
            for head, body in wanted:
                assert await answered(here, browser, head, body) < 500
            assert not here.asked.granted
            assert (await here.browser().sign_in()).status == 303

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(meet(Path(folder)))


@fuzz
@given(st.binary(max_size=400))
def test_any_bytes_on_a_connection_leave_the_page_as_it_was(said: bytes) -> None:
    async def meet(folder: Path) -> None:
        async with opened(folder, idle_s=0.2) as here:
            assert await exchange(here, said) < 500
            assert (await here.browser().sign_in()).status == 303

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(meet(Path(folder)))


async def answered(here: Opened, browser: Browser, head: bytes, body: bytes) -> int:
    """The status of one request in the browser's name; 0 when the connection just ended."""
    form = b"csrf=" + browser.csrf.encode() + body
    cookie = f"Cookie: __Host-signer={browser.cookie}\r\nContent-Length: {len(form)}\r\nConnection: close\r\n\r\n".encode()
    return await exchange(here, head + cookie + form)


async def exchange(here: Opened, sent: bytes) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", here.port, ssl=unproven())
    try:
        writer.write(sent)
        line = await reader.readline()
    except ConnectionError:
        return 0
    finally:
        writer.close()
    return int(line.split()[1]) if line.startswith(b"HTTP/1.1 ") else 0
