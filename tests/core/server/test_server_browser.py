"""The dashboard in a real Chromium: what people see and do, by mouse and by keyboard, and axe-core's judgement."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from weft.desk.showing import plain
from weft.sync.verify import verify

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text(encoding="utf-8")
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage")  # fmt: skip
WIDE, PHONE = (1280, 900), (390, 844)


class Browser:
    """A person at a browser."""

    def __init__(self, driver: webdriver.Chrome, world: Any, url: str) -> None:
        self.driver, self.world, self.url = driver, world, url

    def screen(self, size: tuple[int, int], theme: str) -> None:
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        features = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", features)

    def open(self, path: str) -> None:
        self.driver.get(self.url + path)

    def find(self, css: str) -> WebElement:
        return self.until(lambda: self.driver.find_elements(By.CSS_SELECTOR, css))[0]

    def all(self, css: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def button(self, words: str) -> WebElement:
        path = f"//main//*[self::button or self::a or self::summary][contains(normalize-space(.), {words!r})]"
        return self.until(lambda: self.driver.find_elements(By.XPATH, path))[0]

    def until(self, asked: Callable[[], Any]) -> Any:
        """Until the answer is yes; what the page replaces while it is looked at is looked at again."""
        patience = WebDriverWait(self.driver, 15, 0.05, [StaleElementReferenceException, NoSuchElementException])
        return patience.until(lambda _: asked())

    @property
    def notice(self) -> str:
        return str(self.until(lambda: self.driver.find_element(By.CSS_SELECTOR, ".notice").text))

    def text(self) -> str:
        return str(self.until(lambda: self.driver.find_element(By.CSS_SELECTOR, "main").text))

    def ask(self, question: Callable[[Any], Any]) -> Any:
        with self.world.state.begin(writes=False) as tx:
            return question(tx)

    def complaints(self) -> list[str]:
        """What the browser itself has to say: blocked by the policy, not found, broken."""
        return [line["message"] for line in self.driver.get_log("browser") if line["level"] == "SEVERE"]

    def judged(self) -> list[str]:
        """What axe-core finds wrong with the page."""
        # Through the protocol, as the page's own policy lets no such script in.
        self.driver.execute_cdp_cmd("Runtime.evaluate", {"expression": AXE})
        found = self.driver.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "axe.run(document, {resultTypes: ['violations']}).then((r) => done(r.violations))"
        )
        return [
            f"{one['id']}: {node['html'][:160]}: {node['failureSummary']}" for one in found for node in one["nodes"]
        ]


def find_chromium() -> tuple[str, str] | None:
    driver = shutil.which("chromedriver")
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    return (driver, browser) if driver and browser else None


@pytest.fixture(scope="module")
def browser(shared_world: Any, tmp_path_factory: pytest.TempPathFactory, tokens: dict[str, str]) -> Iterator[Browser]:
    found = find_chromium()
    if found is None:
        assert os.environ.get("WEFT_REQUIRE_CHROMIUM") != "1", "no chromium and chromedriver (WEFT_REQUIRE_CHROMIUM=1)"
        pytest.skip("Chromium is not installed: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = found[1]
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    shared_world.guarded()

    async def fill(runtime: Any) -> None:
        await shared_world.stories(runtime, 60)
        for agreement in await verify(runtime):
            now, result = runtime.clock.now(), plain(agreement)
            with runtime.state.begin() as tx:
                proof = tx.proofs.start(agreement.flow, "nobody", now)
                tx.proofs.finish(proof, now, 120, agreement.proven, result)

    with shared_world.running(fill) as url:
        driver = webdriver.Chrome(options=options, service=Service(found[0]))
        try:
            person = Browser(driver, shared_world, url)
            person.screen(WIDE, "light")
            sign_in(person, tokens["operator"])
            yield person
        finally:
            driver.quit()


def sign_in(person: Browser, token: str) -> None:
    person.open("/conflicts")
    field = person.driver.switch_to.active_element
    assert field.get_attribute("name") == "token", "the field is where one types at once"
    field.send_keys("weft_wrong", Keys.ENTER)
    assert "not known here" in person.notice
    person.find("input[name=token]").send_keys(token, Keys.ENTER)
    person.until(lambda: person.driver.current_url.endswith("/conflicts"))
    person.complaints()  # the refusal is one


def test_the_overview_says_what_is_stuck_and_why(browser: Browser) -> None:
    browser.open("/")
    text = browser.text()
    assert "4 records need attention" in text
    assert "The field Phone No. must be filled in. It cannot be zero or empty." in text
    assert "Contoso <b>AG</b>" in text
    browser.until(lambda: len(browser.all(".chart canvas")) == 2)
    assert browser.complaints() == []


def test_a_flow_is_paused_and_resumed_by_keyboard(browser: Browser) -> None:
    browser.open("/")
    browser.button("Pause products").send_keys(Keys.ENTER)
    reason = browser.find(".flow details[open] input[name=reason]")
    reason.send_keys("stock taking", Keys.ENTER)
    assert browser.notice == "Paused"
    assert "Paused by operator: stock taking" in browser.text()
    browser.button("Resume").send_keys(Keys.SPACE)
    browser.until(lambda: "Resumed" in browser.notice)
    assert browser.ask(lambda tx: tx.pauses.active(browser.world.clock.now())) == []
    browser.button("Run now").click()
    browser.until(lambda: "a worker takes it up" in browser.notice)
    assert len(browser.ask(lambda tx: tx.requests.waiting())) == 1


def test_a_conflict_is_decided_field_by_field(browser: Browser) -> None:
    browser.open("/conflicts")
    row = browser.find("#rows tbody").text
    for words in ("phone", "+49 30 0001", "+49 30 1111", "+49 30 2222", "tax_id"):
        assert words in row
    browser.find("#rows a").click()
    browser.find("input[name='fields.phone'][value=left]").send_keys(Keys.SPACE)
    browser.find("input[name='fields.tax_id'][value=right]").click()
    browser.button("Decide the chosen fields").click()
    browser.until(lambda: "Decided" in browser.notice)
    [issue] = browser.ask(lambda tx: tx.issues.page(kind="conflict"))
    assert issue.edited == {"phone": "left", "tax_id": "right"}


def test_issues_are_retried_by_cause_edited_and_skipped(browser: Browser) -> None:
    browser.open("/issues")
    browser.button("Retry 2").click()
    browser.until(lambda: "2 to be tried again" in browser.notice)
    browser.open("/issues?view=list")
    browser.find("#rows a").click()
    assert "The field Phone No." in browser.find("blockquote").text
    phone = browser.find("input[name='values.phone']")
    phone.clear()
    phone.send_keys("+49 30 5555", Keys.ENTER)
    browser.until(lambda: "sent with the next try" in browser.notice)
    browser.open("/issues?view=list")
    browser.all("input[name=ids]")[1].send_keys(Keys.SPACE)
    browser.button("Skip chosen").click()
    assert len(browser.ask(lambda tx: tx.issues.page(kind="failed"))) == 2, "skipping without a reason does nothing"
    browser.find(".bulk input[name=reason]").send_keys("a test record")
    browser.button("Skip chosen").click()
    browser.until(lambda: "1 skipped" in browser.notice)
    [left] = browser.ask(lambda tx: tx.issues.page(kind="failed"))
    assert left.edited == {"phone": "+49 30 5555"}


def test_the_journal_is_filtered_and_read_on(browser: Browser) -> None:
    browser.open("/journal")
    count = len(browser.all("#entries > tr"))
    assert count == 101
    browser.button("Show older").click()
    browser.until(lambda: len(browser.all("#entries > tr")) > count)
    browser.find("select[name=outcome] option[value=rejected]").click()
    browser.until(lambda: "outcome=rejected" in browser.driver.current_url)
    assert len(browser.all("#entries > tr")) == 2
    browser.find("#entries summary").send_keys(Keys.ENTER)
    assert "Phone No." in browser.find("#entries details[open] blockquote").text


def test_a_proof_is_made_and_shown(browser: Browser) -> None:
    browser.open("/proofs")
    browser.button("Verify all flows").click()
    browser.until(lambda: {one.by for one in browser.ask(lambda tx: tx.proofs.latest()).values()} == {"operator"})
    browser.open("/proofs")
    browser.button("Totals and differences").click()
    assert "not proven" in browser.text()
    assert "credit limit" in browser.text()


PAGES = ("/", "/issues", "/issues?view=list", "/issues/1", "/issues/2", "/issues/3", "/conflicts", "/approvals",
         "/links", "/links/1", "/journal?outcome=created", "/runs", "/proofs", "/proofs/1", "/nothing")  # fmt: skip

SMALL = ("/", "/issues?view=list", "/issues/1", "/journal?key=Accounts-0001", "/proofs/1")


@pytest.mark.parametrize(
    ("size", "theme", "pages"),
    [(WIDE, "light", PAGES), (PHONE, "dark", SMALL)],
    ids=["wide and light", "phone and dark"],
)
def test_pages_are_accessible_and_fit(
    browser: Browser, size: tuple[int, int], theme: str, pages: tuple[str, ...]
) -> None:
    browser.screen(size, theme)
    try:
        wrong: dict[str, list[str]] = {}
        for path in pages:
            browser.open(path)
            found = browser.judged()
            overflow = browser.driver.execute_script("return document.documentElement.scrollWidth - innerWidth")
            if overflow > 0:
                found.append(f"{overflow} pixels wider than the screen")
            found += [line for line in browser.complaints() if path != "/nothing"]
            if found:
                wrong[path] = found
        assert wrong == {}
    finally:
        browser.screen(WIDE, "light")


def test_the_theme_is_kept_and_the_menu_opens_on_a_phone(browser: Browser) -> None:
    def ground() -> str:
        colour = "return getComputedStyle(document.body).backgroundColor"
        return str(browser.driver.execute_script(colour))

    browser.open("/links")
    light = ground()
    browser.find("button.theme").send_keys(Keys.ENTER)
    dark = ground()
    assert dark != light
    browser.open("/runs")
    assert ground() == dark
    browser.find("button.theme").click()
    browser.screen(PHONE, "light")
    try:
        browser.open("/links")
        menu = browser.find("button.menu")
        assert not browser.find("#nav").is_displayed()
        menu.send_keys(Keys.ENTER)
        assert menu.get_attribute("aria-expanded") == "true"
        browser.find("#nav a[href='/runs']").click()
        browser.until(lambda: browser.driver.current_url.endswith("/runs"))
    finally:
        browser.screen(WIDE, "light")


def test_keyboard_alone_reaches_the_content(browser: Browser) -> None:
    browser.open("/issues")
    browser.find("body").send_keys(Keys.TAB)
    skip = browser.driver.switch_to.active_element
    assert skip.text == "Skip to content"
    skip.send_keys(Keys.ENTER)
    assert browser.driver.switch_to.active_element.get_attribute("id") == "main"


def test_an_administrator_sees_who_is_signed_in_on_a_phone(browser: Browser, tokens: dict[str, str]) -> None:
    browser.driver.delete_all_cookies()
    browser.screen(PHONE, "dark")
    try:
        browser.open("/login?next=/access")
        assert browser.judged() == []
        browser.find("input[name=token]").send_keys(tokens["admin"], Keys.ENTER)
        browser.until(lambda: browser.driver.current_url.endswith("/access"))
        assert browser.judged() == []
        for one in browser.all("main tbody button, main tbody td"):
            assert one.rect["x"] + one.rect["width"] <= PHONE[0], one.text
    finally:
        browser.screen(WIDE, "light")


def test_signing_out_ends_the_session(browser: Browser, tokens: dict[str, str]) -> None:
    """Last: the browser is signed in again for whoever comes after."""
    browser.open("/")
    browser.find("form[action='/logout'] button").click()
    browser.until(lambda: browser.driver.current_url.endswith("/login"))
    browser.open("/journal")
    assert "/login?next=/journal" in browser.driver.current_url
    browser.find("input[name=token]").send_keys(tokens["operator"], Keys.ENTER)
    browser.until(lambda: browser.driver.current_url.endswith("/journal"))
