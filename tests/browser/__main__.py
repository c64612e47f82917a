"""Looks at the live page in a real browser, over a real server: `python -m tests.browser`.

Ends with 0 if all is well, 1 if something is not, and 2, with the reason, if there is no Chromium. What it
finds about accessibility needs axe from npm; without it that part is named as not tested.
"""

import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from streams.log.sqlite.log import SqliteLog
from streams.sources.generator import Shop
from streams.topology import TRANSITIONS
from tests.browser.axe import read_axe
from tests.browser.chromium import Chromium, Tab, find_chromium
from tests.cli.running import ROOT, event, process

EVENTS, PEOPLE, SEED, EVERY_MS = 4_000, 200, 5, 300_000
DESKTOP, PHONE = {"width": 1440, "height": 1000}, {"width": 390, "height": 844}
FORMS = [
    (theme, language, size)
    for theme, language in (("dark", "en"), ("light", "it"), ("light", "es"))
    for size in (DESKTOP, PHONE)
]
UPDATES = 12
UPDATED_MS = 1_000  # from the commit of a step until the page shows it
GREW = 1.05  # elements of the page, while moves come and go

CARDS = "['figures','flow','purchases','revenue','parts','hours','latest','stays','cues'].every("
UNSEEN = (
    "[...document.querySelectorAll('#flow .links path')].filter(e => getComputedStyle(e).stroke === 'none')"
    ".map(e => e.textContent)"
)
DRAWN = CARDS + "id => document.getElementById(id).textContent.length > 10)"


class Site:
    """A shop whose events are processed while the page looks."""

    def __init__(self, directory: Path) -> None:
        self.data, self.feed = directory / "data", directory / "feed.jsonl"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}/"

    def fill(self, directory: Path) -> None:
        """Processes what happened in the last days."""
        shop, now_ms = Shop(SEED, 1000 / EVERY_MS, PEOPLE), time.time_ns() // 1_000_000
        made = [shop.next(now_ms - EVERY_MS * (EVENTS - n)) for n in range(EVENTS)]
        source = directory / "before.jsonl"
        source.write_bytes(b"".join([record.value + b"\n" for record in made if record.key]))
        assert 0 == process("replay", source, "--data-dir", self.data, stderr=subprocess.DEVNULL).wait()
        self.feed.touch()

    def dashboard(self) -> "subprocess.Popen[bytes]":
        return process("dashboard", "--data-dir", self.data, "--port", self.port, stderr=subprocess.DEVNULL)

    def happens(self, who: str) -> None:
        """Somebody looks at a product, now."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with self.feed.open("a") as feed:
            made = event(
                who, "Product Viewed", "00:00:00", timestamp=stamp, messageId=f"{who}-{time.time_ns()}"
            )
            feed.write(json.dumps(made) + "\n")

    async def committed_ms(self, who: str) -> int:
        """When the step of somebody was committed."""
        reader = SqliteLog.read_only(self.data)
        try:
            async for _, record in reader.scan(TRANSITIONS.name, key=who.encode()):
                return record.time_ms
        finally:
            await reader.close()
        raise AssertionError(f"nothing was published about {who}")


@asynccontextmanager
async def ending(*processes: "subprocess.Popen[bytes]") -> AsyncGenerator[None]:
    """Ends the processes afterwards."""
    try:
        yield
    finally:
        for one in processes:
            one.terminate()
            one.wait()


async def check_forms(browser: Chromium, site: Site, axe: str | None) -> None:
    """Every form of the page is drawn, logs no error, asks nobody else, and can be read by everybody."""
    for theme, language, size in FORMS:
        form = f"{theme}, {language}, {size['width']} px"
        tab = await browser.tab()
        await tab.open(f"{site.address}?theme={theme}&lang={language}&range=7d", **size)
        await tab.until("document.querySelector('.live.live') !== null && " + DRAWN)
        wide = await tab.run("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert 0 == wide, f"{form}: the page is {wide} px wider than its window"
        assert [] == await tab.run(UNSEEN), f"{form}: these links of the flow are not drawn"
        await check_axe(tab, axe, form)
        await tab.run("document.querySelector('.moves [data-action=story]').click()")
        await tab.until("document.querySelector('#story[open] .steps li') !== null")
        await check_axe(tab, axe, f"{form}, a story")
        check_clean(tab, site, form)
        await tab.do("Page.close")
    print(f"{len(FORMS)} forms of the page: drawn, no error, no request elsewhere", flush=True)


async def check_axe(tab: Tab, axe: str | None, form: str) -> None:
    """Axe finds nothing."""
    if axe is None:
        return
    await tab.run(f"{axe}\nundefined")
    await tab.until("document.getAnimations().every(one => one.playState !== 'running')")
    found = await tab.run(
        "axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map("
        "v => v.id + ': ' + v.nodes.map(n => n.html + n.failureSummary).join(' | ')))"
    )
    assert [] == found, f"{form}: {found}"


def check_clean(tab: Tab, site: Site, form: str) -> None:
    """No error was logged, and nobody else was asked for anything."""
    assert [] == tab.faults, f"{form}: {tab.faults}"
    elsewhere = [url for url in tab.requests if not url.startswith((site.address, "about:", "data:"))]
    assert [] == elsewhere, f"{form}: {elsewhere}"


async def check_updates(browser: Chromium, site: Site) -> None:
    """A step is shown within a second of its commit; the page does not grow."""
    tab = await browser.tab()
    await tab.open(f"{site.address}?lang=en&theme=dark", **DESKTOP)
    await tab.until(DRAWN)
    await tab.run(
        "window.seen = {}; new MutationObserver(() => document.querySelectorAll('.moves [data-profile]')"
        ".forEach(one => { window.seen[one.dataset.profile] ??= Date.now(); }))"
        ".observe(document.getElementById('latest'), {subtree: true, childList: true, attributes: true})"
    )
    delays, sizes = [], []
    for number in range(UPDATES):
        who = f"visitor-{number}"
        site.happens(who)
        shown_ms = await tab.until(f"window.seen['u:{who}']")
        delays.append(shown_ms - await site.committed_ms(who))
        sizes.append(await tab.run("document.querySelectorAll('*').length"))
    check_clean(tab, site, "updates")
    assert sizes[-1] <= sizes[2] * GREW, f"the page grows: {sizes}"
    print(
        f"from commit to page: median {statistics.median(delays):.0f} ms, most {max(delays)} ms", flush=True
    )
    assert statistics.median(delays) <= UPDATED_MS, delays
    await tab.do("Page.close")


async def check_keyboard(browser: Chromium, site: Site) -> None:
    """The search is found with a key, opens a story, and gives the focus back."""
    tab = await browser.tab()
    await tab.open(f"{site.address}?lang=en&theme=light", **DESKTOP)
    await tab.until(DRAWN)
    await tab.press("/")
    await tab.until("document.activeElement.id === 'search'")
    for character in "first":
        await tab.press(character)
    await tab.press("Enter")
    await tab.until("document.querySelector('#story[open]')?.textContent.includes('starts in know')")
    await tab.press("Escape")
    await tab.until("!document.querySelector('#story').open && document.activeElement.id === 'search'")
    await tab.run("document.getElementById('search').value = 'nobody-at-all'")
    await tab.press("Enter")
    await tab.until("document.querySelector('#story[open]')?.textContent.includes('Nobody of that name')")
    check_others = [fault for fault in tab.faults if "404" not in fault]  # which the browser logs by itself
    assert [] == check_others, check_others
    await tab.do("Page.close")
    print("keyboard: search, story, back", flush=True)


async def check_states(browser: Chromium, site: Site, page: "subprocess.Popen[bytes]") -> None:
    """A page whose server goes away says so, and comes back by itself."""
    tab = await browser.tab()
    await tab.open(f"{site.address}?lang=en&theme=light", **DESKTOP)
    await tab.until(DRAWN)
    page.terminate()
    page.wait()
    await tab.until("document.querySelectorAll('.live.broken, .notice.broken').length === 2")
    again = site.dashboard()
    async with ending(again):
        await tab.until(
            "document.querySelectorAll('.live.live').length && !document.querySelector('.notice.broken')"
        )
    await tab.do("Page.close")
    print("a connection that breaks is named, and comes back", flush=True)


async def main() -> int:
    path = find_chromium()
    if path is None:
        print("no Chromium on the PATH")
        return 2
    axe = read_axe()
    if axe is None:
        print("NOT TESTED: accessibility, since axe cannot be had from npm")
    with tempfile.TemporaryDirectory() as made:
        site = Site(Path(made))
        await asyncio.to_thread(site.fill, Path(made))
        running = process("run", site.feed, "--data-dir", site.data, stderr=subprocess.DEVNULL)
        page = site.dashboard()
        async with ending(running, page), Chromium.start(path) as browser:
            tab = await browser.tab()
            await wait_for(site)
            site.happens("first")
            await tab.do("Page.close")
            await check_forms(browser, site, axe)
            await check_updates(browser, site)
            await check_keyboard(browser, site)
            await check_states(browser, site, page)
    return 0


async def wait_for(site: Site) -> None:
    """Until the server answers."""
    while True:
        try:
            _, writing = await asyncio.open_connection("127.0.0.1", site.port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writing.close()
            return


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(asyncio.run(main()))
