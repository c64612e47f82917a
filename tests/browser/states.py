"""What the page says when it cannot just show what happens now. Each state is brought about for real."""

import asyncio
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from tests.browser.chromium import Chromium, Tab
from tests.browser.site import DESKTOP, DRAWN, PHONE, Site, ending

OLD_CELLS, OLD_TIMES = 400_000, 4  # counters of long ago, so many that they take some seconds to read
# What the page has said since it was opened: its state with the words above the figures.
NOTED = (
    "window.said = {}; document.addEventListener('DOMContentLoaded', () => new MutationObserver(() => {"
    "const live = document.querySelector('.live'); if (!live) return;"
    "const notice = [...document.querySelectorAll('.notice')].map(one => one.className.split(' ')[1]);"
    "for (const name of [live.className.split(' ')[1], ...notice]) window.said[name] ??= {"
    "label: live.textContent, notice: document.getElementById('notice').textContent,"
    "figures: document.getElementById('figures').textContent,"
    "bar: document.querySelector('#notice progress')?.value};"
    "}).observe(document.body, {subtree: true, childList: true, characterData: true, attributes: true}))"
)


@asynccontextmanager
async def opened(browser: Chromium, address: str, more: str = "") -> AsyncGenerator[Tab]:
    """The page at an address, which notes what it has said."""
    tab = await browser.tab()
    await tab.do("Page.addScriptToEvaluateOnNewDocument", source=NOTED)
    await tab.open(f"{address}?lang=en&theme=light{more}", **DESKTOP)
    yield tab
    await tab.do("Page.close")


async def check_says(tab: Tab, state: str, label: str, notice: str) -> None:
    """The page comes to a state, and says so with these words."""
    said = await tab.until(f"window.said['{state}']")
    assert label in said["label"], (state, said)
    assert notice in said["notice"], (state, said)
    print(f"{state}: {said['label']}. {said['notice']}", flush=True)


async def check_broken_connection(browser: Chromium, site: Site, page: "subprocess.Popen[bytes]") -> None:
    """A page whose server is killed says so, keeps its figures, and comes back by itself."""
    async with opened(browser, site.address) as tab:
        await tab.until(DRAWN)
        before = await tab.run("document.getElementById('figures').textContent")
        page.kill()
        page.wait()
        await check_says(tab, "broken", "No connection", "lost its connection and tries again by itself")
        assert before == await tab.run("document.getElementById('figures').textContent")
        async with ending(site.dashboard()):
            await tab.until(
                "document.querySelectorAll('.live.live').length && !document.querySelector('.notice.broken')"
            )


async def check_processor(browser: Chromium, site: Site) -> None:
    """A log in which nothing has come yet, one whose processor is behind, one where nobody comes, and one
    whose processor was stopped: the page tells them apart, without being loaded again.
    """
    running = site.run(STREAMS_BATCH="50")  # small batches: it takes a while to read what has come
    try:
        while not (site.data / "log.sqlite").exists():  # which the dashboard needs to find
            assert running.poll() is None
            await asyncio.sleep(0.1)
        async with ending(site.dashboard()), opened(browser, site.address) as tab:
            await check_says(tab, "empty", "Nothing has come yet", "No journey has begun")
            site.happened()
            await check_says(tab, "behind", "behind · up to", "later ones are on their way")
            await check_says(tab, "idle", "No visitors · up to", "No event has come for a while")
            site.happens("somebody")
            await tab.until("document.querySelector('.live.live') && !document.querySelector('.notice')")
            running.kill()
            running.wait()
            await check_says(tab, "stopped", "Stopped · up to", "No processor works on this now")
            assert [] == tab.faults, tab.faults
    finally:
        running.kill()
        running.wait()


async def check_narrow(tab: Tab) -> None:
    """On a phone, too, who is in which moment is known first, and the page is no wider than its window."""
    await tab.do("Emulation.setDeviceMetricsOverride", **PHONE, deviceScaleFactor=1, mobile=False)
    found = await tab.run(
        "({waiting: document.querySelectorAll('.waiting').length,"
        " feet: getComputedStyle(document.querySelector('.feet')).display,"
        " wide: document.documentElement.scrollWidth - document.documentElement.clientWidth})"
    )
    assert found["waiting"], "all was read before anybody could look: give it more to read"
    assert ("grid", 0) == (found["feet"], found["wide"]), found


async def check_reading(browser: Chromium, site: Site) -> None:
    """A page whose dashboard was started anew shows what is known, and how much was read. It connects again
    within two seconds; to read all takes longer.
    """
    page = site.dashboard()
    await site.answers()
    async with opened(browser, site.address, "&range=28d") as tab:
        await tab.until(DRAWN)
        page.kill()
        page.wait()
        await tab.until("window.said.broken")
        for seed in range(OLD_TIMES):
            await site.store_counters(OLD_CELLS, seed)
        await tab.run("window.said = {}")
        async with ending(site.dashboard()):
            await check_says(tab, "loading", "", "being read")
            said = await tab.run("window.said.loading")
            assert 0 <= said["bar"] <= 1, said
            assert "NaN" not in said["figures"], said
            await check_narrow(tab)
            await tab.until(
                "!document.querySelector('.notice.loading') && !document.querySelector('.waiting')"
            )
            assert [] == [fault for fault in tab.faults if "ERR_" not in fault], tab.faults
