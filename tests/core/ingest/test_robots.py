"""Robots are known by their user agents; what is not sure to be one counts as a person."""

from itertools import product
from typing import Any

import msgspec
import pytest

from streams.core.ingest import robots
from streams.core.ingest.apart import ApartJudge, ApartRules
from streams.core.ingest.door import door_of
from streams.core.ingest.event import Apart, Event
from streams.core.ingest.reading import RecordReader
from streams.core.ingest.robots import (
    BROWSER,
    LIBRARY,
    MAX_ROBOT_AGENT_CHARS,
    ROBOT,
    Robots,
    robots_version,
)
from streams.core.ingest.times import LATEST_MS

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"
PHONE = "Mozilla/5.0 (Linux; Android 11; {} Build/RP1A) AppleWebKit/537.36 Chrome/90.0 Mobile Safari/537.36"
WEBVIEW = "Mozilla/5.0 (Linux; Android 15; {}; wv) AppleWebKit/537.36 Version/4.0 Chrome/142.0 Mobile"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148"
OF_ROBOTS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    CHROME.replace("Chrome", "HeadlessChrome"),
    CHROME.replace("Chrome/", "Storebot-Google/1.0 Chrome/"),
    "facebookexternalhit/1.1",
    "Bytespider",
    "Mozilla/5.0 (Unknown; Linux x86_64) AppleWebKit/538.1 PhantomJS/2.1.1 Safari/538.1",
    f"{CHROME} Chrome-Lighthouse",
    "Mozilla/5.0 (compatible; Nobody knows/1.0; +https://nobody.example)",
    "some-shop-bot",
    "Price Spider 3",
    "Sogou web spider/4.0(+http://www.sogou.com/docs/help/webmasters.htm#07)",
)
OF_PEOPLE = (
    CHROME,
    PHONE.format("CUBOT X30"),
    PHONE.format("moto g"),
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 16_0 like Mac OS X) Mobile/15E148 [FBAN/FBIOS;FBAV/380.0;]",
    "MyShop/4.2 (iPhone; iOS 17.1; Scale/3.00)",
    "MyShop/1 CFNetwork/1408 Darwin/22.5.0",
    "Dalvik/2.1.0 (Linux; U; Android 13)",
    "",
    # Browsers within apps, of phones of several makers, of televisions and consoles.
    WEBVIEW.format("CPH2557 Build/AP3A.240617.008") + " Instagram 406.0.0.58.159 Android (OPPO)",
    WEBVIEW.format("SM-S921B Build/AP3A.240905.015.A2") + " [FB_IAB/FB4A;FBAV/517.0.0.42.108;]",
    WEBVIEW.format("Pixel 10 Pro XL Build/CP1A.260305.018") + " MetaIAB Facebook",
    WEBVIEW.format("moto g84 5G Build/V1TC35H.115") + " musical_ly_2024107030 BytedanceWebview/d8a21c6",
    WEBVIEW.format("SM-A546B") + " [Pinterest/Android]",
    WEBVIEW.format("SM-A546B") + " Snapchat/13.20.0.41 (SM-A546B; Android 15#A546BXXS; gzip; )",
    WEBVIEW.format("SM-A546B") + " Line/15.1.0/IAB",
    WEBVIEW.format("22101316G") + " XWEB/1300 MMWEBSDK/20241202 MicroMessenger/8.0.56.2800(0x2800383B)",
    PHONE.format("HTC Butterfly s"),
    CHROME + " SogouMobileBrowser/8.0",
    *(f"{CHROME} {browser}" for browser in (
        "Edg/126.0", "OPR/112.0", "Vivaldi/6.8", "YaBrowser/24.6.0", "SamsungBrowser/25.0", "DuckDuckGo/5",
        "Ddg/17.5", "XiaoMi/MiuiBrowser/18.2", "HuaweiBrowser/15.0", "Whale/3.26", "Silk/126.3",
    )),
    *(f"{IPHONE} {app}" for app in (
        "GSA/320.0", "CriOS/126.0", "FxiOS/127.0", "EdgiOS/126.0", "[LinkedInApp]/9.30", "Twitter for iPhone",
        "Instagram 340.0.0.22.109 (iPhone14,5; iOS 17_5)", "KAKAOTALK 10.8.3", "NAVER(inapp; search)",
        "[Pinterest/iOS]", "[FBAN/FBIOS;FBAV/470.1.0;FBBV/614]", "Safari/604.1 Ecosia ios@10.1", "Brave/1.67",
    )),
    "Mozilla/5.0 (SMART-TV; LINUX; Tizen 6.0) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/2.2",
    "Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 Chrome/94.0 Safari/537.36 WebAppManager",
    "Mozilla/5.0 (PlayStation; PlayStation 5/9.00) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.4",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0",
)  # fmt: skip
OF_PROGRAMS = ("python-requests/2.31.0", "okhttp/4.9.0", "Go-http-client/1.1", "curl/8.5.0", "axios/1.6.0")


@pytest.mark.parametrize(
    ("agents", "expected"), [(OF_ROBOTS, ROBOT), (OF_PEOPLE, BROWSER), (OF_PROGRAMS, LIBRARY)]
)
def test_a_user_agent_shows_a_robot(agents: tuple[str, ...], expected: int) -> None:
    """Those that name themselves and browsers without a window are robots; browsers, phones and apps none."""
    known = Robots((), ())
    assert dict.fromkeys(agents, expected) == {agent: known.shown_by(agent) for agent in agents}


def event(context: object = None, channel: str | None = None) -> Event:
    return Event("e", 0, 0, "d", None, "track", "", {}, context if isinstance(context, dict) else {}, channel)


@pytest.mark.parametrize(
    ("channel", "expected"),
    [(None, Apart.ROBOT), ("web", Apart.ROBOT), ("Web", Apart.ROBOT), ("server", None), ("app", None)],
)
def test_the_client_of_a_program(channel: str | None, expected: Apart | None) -> None:
    """It is a robot where people browse. A server and an app send with it what people do."""
    judge = ApartJudge(ApartRules(robots_version()))
    assert expected is judge.judge(event({"userAgent": "okhttp/4.9.0"}, channel))
    assert Apart.ROBOT is judge.judge(event({"userAgent": "Googlebot/2.1"}, channel))


def test_a_tool_may_say_so() -> None:
    """`"robot": true` in the context is enough; nothing else there is."""
    judge = ApartJudge(ApartRules(robots_version()))
    assert Apart.ROBOT is judge.judge(event({"robot": True}))
    others: tuple[Any, ...] = (False, None, "no", 1, [])
    assert [None] * 5 == [judge.judge(event({"robot": value})) for value in others]
    assert [None] * 5 == [judge.judge(event({"userAgent": value})) for value in others]


def test_settings_add_texts_and_take_some_away() -> None:
    """Whatever the list says, and whatever their case; or robots count as people do."""
    monitor, googlebot = {"userAgent": "ShopMonitor/1"}, {"userAgent": "Googlebot/2.1"}
    judge = ApartJudge(ApartRules(robots_version(), ("shopmonitor",), ("GOOGLEBOT",)))
    assert [Apart.ROBOT, None] == [judge.judge(event(each)) for each in (monitor, googlebot)]
    assert [None, None] == [ApartJudge(ApartRules()).judge(event(each)) for each in (monitor, googlebot)]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user agent is looked up once; many of them, and long ones, take no more room than some do."""
    monkeypatch.setattr(robots, "MAX_KNOWN_AGENTS", 3)
    known = Robots((), ())
    long = "Googlebot/2.1 " + "x" * 2 * MAX_ROBOT_AGENT_CHARS
    assert ROBOT == known.shown_by(long) == known.shown_by(long + "y")
    assert [MAX_ROBOT_AGENT_CHARS] == [len(agent) for agent in known._known]
    for n in range(10):
        assert ROBOT == known.shown_by(f"Bytespider {n}")
        assert 1 <= len(known._known) <= 3


def test_the_list_is_there() -> None:
    """It has a thousand robots and more, without the clients of programs; the version names the package."""
    listed, libraries = robots._listed()
    assert len(listed._texts) > 1_000
    assert libraries.found_in("python-requests/2.31.0")
    assert not listed.found_in("python-requests/2.31.0")
    assert robots_version().startswith("crawler-user-agents 1.")


CONTEXTS: tuple[dict[str, Any], ...] = (
    {},
    {"userAgent": "Googlebot/2.1"},
    {"userAgent": "okhttp/4.9.0"},
    {"consent": {"categoryPreferences": {"analytics": False}}},
    {"gdpr": "no", "userAgent": CHROME},
    {"robot": True},
)
RULES = (
    ApartRules(robots_version()),
    ApartRules(),
    ApartRules(robots_version(), no_robot_texts=("googlebot",)),
    ApartRules(robots_version(), consent_fields=("context.gdpr", "properties.ok")),
)


def test_what_is_remembered_of_a_context_is_of_one_door() -> None:
    """Readers of several doors take turns with the same contexts, and each judges as if it were alone."""
    readers = [RecordReader(door_of(0, apart=rules), "clicks") for rules in RULES]
    seen = set()
    for _ in range(2):
        for context, channel, ok in product(CONTEXTS, ("web", "server"), (True, False)):
            call = {
                "type": "track", "messageId": "m", "userId": "u", "event": "E", "channel": channel,
                "timestamp": "2024-01-01T00:00:00Z", "context": context, "properties": {"ok": ok},
            }  # fmt: skip
            for reader, rules in zip(readers, RULES, strict=True):
                found = reader.read(msgspec.json.encode(call), (), -1, LATEST_MS)
                assert isinstance(found, Event)
                assert ApartJudge(rules).judge(found) is found.apart, (call, rules)
                seen.add(found.apart)
    assert {None, Apart.ROBOT, Apart.REFUSED} == seen
