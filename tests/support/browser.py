"""Debian's Chromium, headless, with an authenticator of its own (WebDriver's extension for WebAuthn), trusting one server's key."""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.virtual_authenticator import VirtualAuthenticatorOptions
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.support.ports import free_port

PHONE, DESKTOP = (390, 844), (1280, 900)
_WAIT_S = 90.0
_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # tests run as root, which Chromium's sandbox does not allow
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
)


@dataclass(slots=True)
class Browser:
    """One window. origin: of the page under test."""

    driver: Chrome
    origin: str

    def open(self, path: str) -> None:
        self.driver.get(f"{self.origin}{path}")

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def type(self, **fields: str) -> None:
        """By name, into the first form that has them all."""
        for name, text in fields.items():
            field = self.find(f'main form [name="{name}"]:not([type="hidden"])')
            field.clear()
            field.send_keys(text)

    def type_in(self, form: str, **fields: str) -> None:
        """Into the form with this action."""
        for name, text in fields.items():
            self.find(f'form[action="{form}"] [name="{name}"]').send_keys(text)

    def press(self, selector: str) -> None:
        """Presses, and waits until another page is there."""
        before = self.find("html")
        self.find(selector).click()
        WebDriverWait(self.driver, _WAIT_S).until(lambda _: self._is_gone(before))
        WebDriverWait(self.driver, _WAIT_S).until(lambda driver: driver.execute_script("return document.readyState") == "complete")

    @property
    def path(self) -> str:
        return self.driver.current_url.removeprefix(self.origin)

    @property
    def text(self) -> str:
        return self.find("body").text

    def show(self, width: int, height: int) -> None:
        """As a screen of this size shows it."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < height}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def picture(self) -> bytes:
        """PNG of the whole page."""
        taken = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True})
        return base64.b64decode(taken["data"])

    def overflow_px(self) -> int:
        """How far the page is wider than its window."""
        return int(self.driver.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth"))

    def complaints(self) -> list[str]:
        """What the browser's console says, but for pages that say themselves what was wrong: refused scripts and styles, errors."""
        said = [str(entry["message"]) for entry in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]
        return [line for line in said if "the server responded with a status of 4" not in line and "[DOM]" not in line]

    @staticmethod
    def _is_gone(element: WebElement) -> bool:
        try:
            element.is_enabled()
        except Exception:  # noqa: BLE001 - stale, in one of the words that drivers have for it
            return True
        return False


@contextlib.contextmanager
def browser(origin: str, certificate: Path, folder: Path) -> Iterator[Browser]:
    """A fresh one. certificate: of the server, whose key is believed as if a CA that browsers know had vouched for it."""
    key = x509.load_pem_x509_certificates(certificate.read_bytes())[0].public_key()
    spki = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    options = ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    believed = base64.b64encode(spki).decode()
    for flag in (*_FLAGS, f"--user-data-dir={folder}", f"--ignore-certificate-errors-spki-list={believed}", "--accept-lang=vi"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options, Service("/usr/bin/chromedriver", port=free_port()))
    try:
        authenticator = VirtualAuthenticatorOptions(
            transport=VirtualAuthenticatorOptions.Transport.INTERNAL,
            has_resident_key=True,
            has_user_verification=True,
            is_user_verified=True,
        )
        driver.add_virtual_authenticator(authenticator)
        yield Browser(driver, origin)
    finally:
        driver.quit()
