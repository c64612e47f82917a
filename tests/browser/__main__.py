"""Looks at the live page in a real browser, over a real server: `python -m tests.browser`.

Ends with 0 if all is well, 1 if something is not, and 2, with the reason, if there is no Chromium. What it
finds about accessibility needs axe from npm; without it that part is named as not tested.
"""

import asyncio
import os
import statistics
import sys
import tempfile
from pathlib import Path

from tests.browser.axe import read_axe
from tests.browser.chromium import Chromium, Tab, find_chromium
from tests.browser.on_kafka import check_unreachable
from tests.browser.site import DESKTOP, DRAWN, PHONE, Site, ending
from tests.browser.states import check_broken_connection, check_processor, check_reading
from tests.cli.running import ROOT

FORMS = [
    (theme, language, size)
    for theme, language in (("dark", "en"), ("light", "it"), ("light", "es"))
    for size in (DESKTOP, PHONE)
]
UPDATES = 12
UPDATED_MS = 1_000  # from the commit of a step until the page shows it
GREW = 1.05  # elements of the page, while moves come and go

UNSEEN = (
    "[...document.querySelectorAll('#flow .links path')].filter(e => getComputedStyle(e).stroke === 'none')"
    ".map(e => e.textContent)"
)

# Texts of drawings that lie over each other, or outside of their drawing.
MUDDLED = """
[...document.querySelectorAll('#purchases svg, #hours svg, #stays svg')].flatMap(svg => {
  const frame = svg.getBoundingClientRect();
  const texts = [...svg.querySelectorAll('text')].map(one => [one.textContent, one.getBoundingClientRect()]);
  const over = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4;
  return texts.flatMap(([text, at], i) => [
    ...(at.left < frame.left - 4 || at.right > frame.right + 4 ? [`${text} is outside`] : []),
    ...texts.slice(i + 1).filter(([, other]) => over(at, other)).map(([other]) => `${text} is over ${other}`),
  ]);
})
"""


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
        assert [] == await tab.run(MUDDLED), form
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
        await asyncio.to_thread(site.fill)
        async with Chromium.start(path) as browser:
            running, page = site.run(), site.dashboard()
            async with ending(running, page):
                await site.answers()
                site.happens("first")
                await check_forms(browser, site, axe)
                await check_updates(browser, site)
                await check_keyboard(browser, site)
                await check_broken_connection(browser, site, page)
            await check_processor(browser, Site(Path(made) / "new"))
            await check_reading(browser, site)
            await check_unreachable(browser)
    return 0


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(asyncio.run(main()))
