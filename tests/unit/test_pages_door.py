"""The page's door: who is let in, what every answer carries, and how much one may ask."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from signer.config import Config
from signer.demo.tls_pki import TlsPki
from signer.errors import ConfigError
from signer.people.approval import Decision
from signer.people.authorization import AuthorizationState
from tests.support.pages import CODE, PIN, TEACHER, TOTP, Opened, Page, approval, asked, opened

CSRF = re.compile(r'name="csrf" value="[0-9a-f]{64}"')
PERSONAL = ("/", "/signed", "/signed/documents?id=au-0", "/account", "/review?id=au-1", "/approval?id=ap-1")


def same(page: Page) -> str:
    """What two browsers can compare."""
    return CSRF.sub("", page.text)


def is_sign_in(page: Page) -> bool:
    return page.status == 200 and 'action="/sign-in"' in page.text


async def test_every_answer_carries_the_headers_that_keep_a_browser_safe(tmp_path: Path) -> None:
    async with opened(tmp_path) as here:
        browser = here.browser()
        first = await browser.get("/sign-in")
        style = re.search(r"/static/page-[0-9a-f]{12}\.css", first.text)
        assert style
        refused = await browser.post("/sign-in", person_id="x", pin="1", totp="2")
        answers = [first, refused, await browser.get("/nowhere"), await browser.get(style[0]), await browser.sign_in()]
    assert [answer.status for answer in answers] == [200, 403, 404, 200, 303]
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["Server"] == "signer"
    assert [answer.headers["Cache-Control"] for answer in answers] == ["no-store"] * 3 + ["public, max-age=31536000, immutable", "no-store"]
    assert not answers[3].cookies


async def test_no_page_has_a_script_or_style_within(tmp_path: Path) -> None:
    async with opened(tmp_path) as here:
        pages = [page async for page in every_page(here)]
    assert len(pages) > 8
    for page in pages:
        assert page.status == 200
        assert "<style" not in page.text
        assert not re.search(r"<script(?![^>]* src=)", page.text)
        assert not re.search(r"\s(style|on[a-z]+)=", page.text)


async def test_every_input_has_a_label_and_every_page_a_language_and_one_heading(tmp_path: Path) -> None:
    async with opened(tmp_path) as here:
        pages = [page async for page in every_page(here)]
    for page in pages:
        assert '<html lang="vi">' in page.text
        assert page.text.count("<h1") == 1
        seen = re.findall(r"<(?:input|textarea)\b[^>]*>", page.text)
        visible = [tag for tag in seen if 'type="hidden"' not in tag and not tag.endswith(" hidden>")]
        ids = [found[1] for tag in visible if (found := re.search(r'\bid="([^"]+)"', tag))]
        assert len(ids) == len(visible)
        assert len(set(ids)) == len(ids)
        assert all(f'for="{each}"' in page.text for each in ids)


async def every_page(here: Opened) -> AsyncIterator[Page]:
    """All there are, as a teacher sees them."""
    here.asked.pending.append(asked("au-1"))
    here.four_eyes.open.append(approval("ap-1"))
    here.asked.over.extend(asked(f"au-{at}", state=AuthorizationState.SPENT) for at in range(25))
    browser = here.browser()
    for path in ("/sign-in", "/first"):
        yield await browser.get(path)
    await browser.post("/first", person_id=TEACHER.id, code=CODE)
    yield await browser.get("/first/pin")
    await browser.post("/first/pin", new_pin="736152", new_pin_again="736152")
    yield await browser.get("/first/totp")
    await browser.post("/first/totp", totp=TOTP)
    for path in (*PERSONAL, "/approval?id=ap-1&decision=refuse"):
        yield await browser.get(path)


async def test_who_is_not_signed_in_is_asked_to_and_comes_back_to_the_place(tmp_path: Path) -> None:
    async with opened(tmp_path) as here:
        here.asked.pending.append(asked("au-1"))
        for path in PERSONAL:
            browser = here.browser()
            page = await browser.get(path)
            assert is_sign_in(page)
            assert "12A1" not in page.text
            entered = await browser.post("/sign-in", person_id=TEACHER.id, pin=PIN, totp=TOTP, place=path)
            assert (entered.status, entered.headers["Location"]) == (303, path)


async def test_signing_in_gives_the_browser_another_cookie_that_scripts_and_other_sites_dont_get(tmp_path: Path) -> None:
    async with opened(tmp_path) as here:
        browser = here.browser()
        await browser.get("/sign-in")
        before = browser.cookie
        entered = await browser.sign_in()
        assert browser.cookie != before
        (line,) = entered.cookies
        assert line.startswith("__Host-signer=")
        for rule in ("Path=/", "Secure", "HttpOnly", "SameSite=Strict"):
            assert rule in line.split("; ")
        after = browser.cookie
        browser.jar["__Host-signer"] = before
        assert is_sign_in(await browser.get("/"))
        browser.jar["__Host-signer"] = after
        assert TEACHER.display_name in (await browser.get("/")).text


async def test_unknown_people_disabled_ones_and_wrong_factors_are_answered_alike(tmp_path: Path) -> None:
    async with opened(tmp_path) as here:
        here.desk.people["gone"] = replace(TEACHER, id="gone", disabled=True)
        here.desk.pins["gone"] = PIN
        tries = [("gv-lan", "000000", TOTP), ("\0'; --", PIN, TOTP), ("gv-lan", PIN, "999999"), ("nobody", PIN, TOTP), ("gone", PIN, TOTP)]
        answers = []
        for person_id, pin, totp in tries:
            page = await here.browser().sign_in(person_id, pin, totp)
            answers.append((page.status, re.sub(r'(id="person_id"[^>]*value=")[^"]*', r"\1", same(page))))
        assert here.desk.tries == len(tries)
    assert answers[0][0] == 403
    assert len(set(answers)) == 1


async def test_whoever_must_wait_is_told_how_long(tmp_path: Path) -> None:
    async with opened(tmp_path) as here:
        here.desk.wait_s = 3.2
        refused = await here.browser().sign_in(pin="000000")
    assert "Hãy chờ 4 giây" in refused.text


async def test_another_certificate_is_shown_to_the_next_connection(tmp_path: Path) -> None:
    async with opened(tmp_path) as here:
        before = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", here.port))
        settings = here.door._settings
        TlsPki.create().server().write_pem(tmp_path, "renewed")
        wanted = replace(settings, tls_certificate=tmp_path / "renewed.crt", tls_private_key=tmp_path / "renewed.key")
        take = here.door.prepare(Config(server=None, pages=wanted))  # type: ignore[arg-type]
        assert await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", here.port)) == before
        take()
        after = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", here.port))
        assert after.strip() == (tmp_path / "renewed.crt").read_text(encoding="ascii").strip()
        with pytest.raises(ConfigError, match="pages"):
            here.door.prepare(Config(server=None, pages=replace(wanted, tls_private_key=tmp_path / "pages.key")))  # type: ignore[arg-type]


async def test_signing_out_ends_the_session_on_our_side_too(tmp_path: Path) -> None:
    async with opened(tmp_path) as here:
        browser = here.browser()
        await browser.sign_in()
        cookie = browser.cookie
        await browser.get("/")
        left = await browser.post("/sign-out")
        assert "Max-Age=0" in left.cookies[0]
        browser.jar["__Host-signer"] = cookie
        assert is_sign_in(await browser.get("/"))


@pytest.mark.parametrize("idle_s", [15 * 60 + 1, 4 * 3600 + 1])
async def test_who_does_nothing_for_too_long_is_signed_out(tmp_path: Path, idle_s: float) -> None:
    async with opened(tmp_path) as here:
        browser = here.browser()
        await browser.sign_in()
        here.clock.now_s += idle_s
        assert is_sign_in(await browser.get("/"))


async def test_a_disabled_person_is_signed_out_with_the_next_page(tmp_path: Path) -> None:
    async with opened(tmp_path) as here:
        browser = here.browser()
        await browser.sign_in()
        here.desk.people[TEACHER.id] = replace(TEACHER, disabled=True)
        assert (await browser.get("/account")).headers["Location"] == "/sign-in"
        assert not browser.cookie


async def test_forms_of_other_sites_and_other_browsers_do_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as here:
        here.asked.pending.append(asked("au-1"))
        browser, other = here.browser(), here.browser()
        await browser.sign_in()
        await browser.get("/review?id=au-1")
        await other.get("/sign-in")
        fields = {"id": "au-1", "decision": "grant", "pin": PIN, "totp": TOTP}
        foreign = await browser.post("/review", headers={"Origin": "https://evil.example"}, **fields)
        of_null = await browser.post("/review", headers={"Origin": "null"}, **fields)
        without = await browser.post("/review", body="id=au-1&decision=grant")
        good, browser.csrf = browser.csrf, other.csrf
        anothers = await browser.post("/review", **fields)
        plain = await browser.post("/review", body="{}", headers={"Content-Type": "text/plain"})
        assert [page.status for page in (foreign, of_null, without, anothers, plain)] == [403, 403, 403, 403, 405]
        assert not here.asked.granted
        assert here.desk.tries == 1
        browser.csrf = good
        assert (await browser.post("/review", **fields)).status == 303
        assert here.asked.granted == [("au-1",)]


async def test_a_link_from_elsewhere_finds_whoever_is_signed_in(tmp_path: Path) -> None:
    async with opened(tmp_path) as here:
        stranger = here.browser()
        page = await stranger.get("/review?id=au-1&x=%22%3E", **{"Sec-Fetch-Site": "cross-site"})
        assert '<meta http-equiv="refresh" content="0;url=/review?id=au-1&amp;x=%22%3E">' in page.text
        assert not page.cookies, "the browser withheld the cookie it has: another would sign it out"


async def test_the_first_visit_sets_everything_at_its_end_and_nothing_before(tmp_path: Path) -> None:
    async with opened(tmp_path) as here:
        browser = here.browser()
        await browser.get("/first")
        assert (await browser.get("/first/totp")).headers["Location"] == "/first"
        assert (await browser.post("/first", person_id=TEACHER.id, code="wrong")).status == 403
        assert (await browser.post("/first", person_id=TEACHER.id, code=CODE)).headers["Location"] == "/first/pin"
        assert (await browser.get("/account")).headers["Location"] == "/first/pin", "whoever has a code has no session yet"
        await browser.get("/first/pin")
        assert (await browser.get("/first/totp")).headers["Location"] == "/first/pin"
        assert (await browser.post("/first/pin", new_pin="736152", new_pin_again="736153")).status == 400
        assert (await browser.post("/first/pin", new_pin="7", new_pin_again="7")).status == 400
        assert (await browser.post("/first/pin", new_pin="736152", new_pin_again="736152")).headers["Location"] == "/first/totp"
        shown = await browser.get("/first/totp")
        assert '<svg xmlns="http://www.w3.org/2000/svg"' in shown.text or "<svg" in shown.text
        assert (await browser.post("/first/totp", totp="999999")).status == 400
        assert here.desk.pins[TEACHER.id] == PIN
        before = browser.cookie
        assert (await browser.post("/first/totp", totp="123 456")).headers["Location"] == "/"
        assert here.desk.pins[TEACHER.id] == "736152"
        assert browser.cookie != before
        assert TEACHER.display_name in (await browser.get("/")).text


async def test_what_is_granted_is_what_was_shown_and_names_are_text(tmp_path: Path) -> None:
    async with opened(tmp_path) as here:
        here.asked.pending.extend([asked("au-1"), asked("au-2"), replace(asked("au-3"), person_id="somebody-else")])
        browser = here.browser()
        await browser.sign_in()
        page = await browser.get("/review?id=au-1&id=au-2&id=au-3")
        assert page.text.count("Em &lt;b&gt;0&lt;/b&gt;") == 2
        assert "Ký học bạ &lt;lớp&gt;" in page.text
        assert 'value="au-3"' not in page.text
        body = f"csrf={browser.csrf}&id=au-1&id=au-2&id=au-3&decision=grant&pin={PIN}&totp={TOTP}"
        assert (await browser.post("/review", body=body)).status == 409
        refused = await browser.post("/review", id="au-1", decision="grant", pin="000000", totp=TOTP)
        assert (refused.status, here.asked.granted) == (403, [])
        assert (await browser.post("/review", id="au-1", decision="grant", pin=PIN, totp="")).status == 400
        body = f"csrf={browser.csrf}&id=au-1&id=au-2&decision=grant&pin={PIN}&totp={TOTP}"
        assert (await browser.post("/review", body=body)).status == 303
        assert here.asked.granted == [("au-1", "au-2")]


async def test_a_missing_list_of_pupils_is_said(tmp_path: Path) -> None:
    async with opened(tmp_path) as here:
        here.asked.pending.extend([asked("au-1", items=0), asked("au-2", items=2)])
        browser = here.browser()
        await browser.sign_in()
        page = await browser.get("/review?id=au-1&id=au-2")
    assert "không gửi danh sách tên cho 3 học bạ" in page.text
    assert "chỉ gửi tên của 2 trên 3 học bạ" in page.text


async def test_rejecting_needs_no_factor_and_says_so_on_the_next_page_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as here:
        here.asked.pending.append(asked("au-1"))
        browser = here.browser()
        await browser.sign_in()
        await browser.get("/review?id=au-1")
        await browser.post("/review", id="au-1", decision="reject")
        assert here.asked.rejected == [("au-1",)]
        assert "Đã từ chối" in (await browser.get("/")).text
        assert "Đã từ chối" not in (await browser.get("/")).text


async def test_an_approval_is_refused_with_a_reason_only(tmp_path: Path) -> None:
    async with opened(tmp_path) as here:
        here.four_eyes.open.append(approval("ap-1"))
        browser = here.browser()
        await browser.sign_in()
        shown = await browser.get("/approval?id=ap-1&decision=refuse")
        assert "Toán: 5 → &lt;b&gt;9&lt;/b&gt;" in shown.text
        given = {"id": "ap-1", "decision": "refuse", "pin": PIN, "totp": TOTP}
        assert (await browser.post("/approval", comment=" ", **given)).status == 400
        assert (await browser.post("/approval", comment="Không đúng", **given)).status == 303
        assert here.four_eyes.said == [("ap-1", TEACHER.id, Decision.REFUSE, "Không đúng")]
        assert (await browser.get("/approval?id=another")).headers["Location"] == "/"


async def test_another_pin_signs_every_other_browser_out(tmp_path: Path) -> None:
    async with opened(tmp_path) as here:
        mine, other = here.browser(), here.browser()
        await other.sign_in()
        await mine.sign_in()
        await mine.get("/account")
        given = {"pin": PIN, "totp": TOTP, "new_pin": "736152", "new_pin_again": "736152"}
        assert (await mine.post("/account/pin", **{**given, "totp": "0"})).status == 403
        assert (await mine.post("/account/pin", **given)).status == 303
        assert here.desk.pins[TEACHER.id] == "736152"
        assert is_sign_in(await other.get("/"))
        assert "Đã đổi mã PIN" in (await mine.get("/account")).text


async def test_what_was_signed_is_told_a_page_at_a_time(tmp_path: Path) -> None:
    async with opened(tmp_path) as here:
        here.asked.over.extend(replace(asked(f"au-{at}", state=AuthorizationState.SPENT), signed_count=at) for at in range(25))
        browser = here.browser()
        await browser.sign_in()
        first = await browser.get("/signed")
        second = await browser.get("/signed?after=au-19")
        documents = await browser.get("/signed/documents?id=au-1")
        others = await browser.get("/signed/documents?id=au-99")
    assert first.text.count('<li class="card">') == 20
    assert 'href="/signed?after=au-19"' in first.text
    assert second.text.count('<li class="card">') == 5
    assert 'class="button" href="/signed?after=' not in second.text
    assert 'href="/signed/documents?id=au-1"' in first.text
    assert documents.text.count("<li>card-") == 200
    assert "after=card-199" in documents.text
    assert others.headers["Location"] == "/signed"


async def test_tries_are_few_a_minute_for_an_address_and_for_a_person(tmp_path: Path) -> None:
    async with opened(tmp_path, address_tries_per_minute_max=20) as here:
        browser = here.browser()
        await browser.get("/sign-in")
        of_person = [(await browser.post("/sign-in", person_id="a", pin="1", totp="2")).status for _ in range(13)]
        of_address = [(await browser.post("/sign-in", person_id=f"b{at}", pin="1", totp="2")).status for at in range(8)]
        last = await browser.post("/first", person_id="c", code="x")
    assert of_person == [403] * 12 + [429]
    assert 429 in of_address
    assert last.status == 429
    assert int(last.headers["Retry-After"]) >= 1


async def test_requests_are_few_a_second_for_an_address(tmp_path: Path) -> None:
    async with opened(tmp_path, address_per_second_max=5) as here:
        browser = here.browser()
        statuses = [(await browser.get("/sign-in")).status for _ in range(12)]
    assert statuses[:5] == [200] * 5
    assert 429 in statuses


async def test_what_is_too_long_under_another_name_or_of_another_method_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path, request_bytes_max=4096) as here:
        browser = here.browser()
        await browser.get("/sign-in")
        assert (await browser.post("/sign-in", person_id="x" * 5000)).status == 413
        assert (await browser.get("/sign-in", Host="evil.example")).status == 421
        assert (await browser._ask("PUT", "/sign-in", "x", {})).status == 405
        assert (await browser.post("/signed")).status == 405
        assert (await browser.get("/static/../door.py")).status == 404


async def test_the_language_is_the_browsers_until_another_is_chosen(tmp_path: Path) -> None:
    async with opened(tmp_path) as here:
        browser = here.browser()
        assert '<html lang="en">' in (await browser.get("/sign-in", **{"Accept-Language": "en"})).text
        assert '<html lang="vi">' in (await browser.get("/sign-in")).text
        chosen = await browser.get("/signed?after=x&lang=en")
        assert chosen.headers["Location"] == "/signed?after=x"
        assert '<html lang="en">' in (await browser.get("/sign-in")).text


async def test_a_bug_leaves_nothing_but_a_reference(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async with opened(tmp_path) as here:
        browser = here.browser()
        await browser.sign_in()
        here.asked.pending.append(replace(asked("au-1"), target=None))  # type: ignore[arg-type]
        page = await browser.get("/")
        assert page.status == 500
        found = re.search(r"[0-9a-f]{16}", re.sub(r'(value|href|src)="[^"]*"', "", page.text))
        assert found
        assert "Traceback" not in page.text
    said = capfd.readouterr()
    assert found[0] in said.out + said.err


async def test_nothing_personal_stands_in_an_address_or_a_metric(tmp_path: Path) -> None:
    async with opened(tmp_path) as here:
        browser = here.browser()
        answers = [await browser.sign_in(), await browser.get("/"), await browser.get("/account"), await browser.get(f"/{TEACHER.id}")]
        for answer in answers:
            assert TEACHER.id not in answer.headers.get("Location", "")
        pages = {sample.labels["page"] for metric in here.registry.collect() for sample in metric.samples if "page" in sample.labels}
    assert pages == {"/", "/sign-in", "/account", "other"}
