"""Finds the device and the channel of an event, which may stand in several places.

The first place that holds a known word decides. `index` gives a word's number in the vocabulary, and 0 for a
word that is not in it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from streams.core.ingest.event import Event

Index = Callable[[Any], int]

MAX_AGENT_CHARS = 512  # of a user agent: its beginning tells devices apart
MAX_AGENTS = 4096  # user agents that are remembered; a big site sees some thousand a day: at most 3 MB

_NO_PERSON = ("bot/", "bot;", "bot)", "spider", "crawler", "headless")
_TV = (
    "smart-tv",
    "smarttv",
    "smart tv",
    "googletv",
    "google tv",
    "android tv",
    "appletv",
    "apple tv",
    "hbbtv",
    "netcast",
    "web0s",
    "webos.tv",
)
# Game consoles and sticks are used on a television.
_MORE_TV = ("bravia", "roku", "crkey", " aft", "viera", "playstation", "xbox", "nintendo")
_TABLET = ("ipad", "tablet", "kindle", "silk/", "playbook")
_MOBILE = ("iphone", "ipod", "mobile", "android", "phone", "blackberry", "opera mini", "cfnetwork")
_DESKTOP = ("windows nt", "macintosh", "x11", "linux", "cros ")
_TYPE_CHANNELS = {"screen": "app", "page": "web"}  # nobody sends these calls from anywhere else
_agents: dict[str, str] = {}


def device_of(event: Event, index: Index) -> int:
    """The number of the event's device; 0 when it is unknown.

    Asked in this order: context.device.type, context.userAgentData.mobile if it is true, context.userAgent,
    properties.device. Without a user agent, a `mobile` that is false means a desktop.
    """
    context = event.context
    hardware = context.get("device")
    if type(hardware) is dict and (known := index(hardware.get("type"))):
        model = hardware.get("model")
        # An iPad's type is "ios", as a telephone's is.
        is_ipad = type(model) is str and model.startswith("iPad")
        return index("tablet") if is_ipad else known
    hints = context.get("userAgentData")
    if type(hints) is dict and hints.get("mobile") is True:
        return index("mobile")
    agent = context.get("userAgent")
    if type(agent) is str and (known := index(_of_agent(agent[:MAX_AGENT_CHARS]))):
        return known
    if known := index(event.properties.get("device")):
        return known
    return index("desktop") if type(hints) is dict and hints.get("mobile") is False and not agent else 0


def channel_of(event: Event, index: Index) -> int:
    """Looks at the event's own channel, context.channel, properties.channel; else at the type of call."""
    own, inner = event.channel, event.context.get("channel")
    if own and (known := index(own)):
        return known
    if inner and (known := index(inner)):
        return known
    if known := index(event.properties.get("channel")):
        return known
    # properties.channel often is a campaign's (organic, paid), so an unknown word there excludes nothing.
    return 0 if own or inner else index(_TYPE_CHANNELS.get(event.type))


BUILT_IN_DIMENSIONS: Mapping[str, Callable[[Event, Index], int]] = {
    "device": device_of,
    "channel": channel_of,
}


def _of_agent(agent: str) -> str:
    verdict = _agents.get(agent)
    if verdict is None:
        verdict = _judge(agent.lower())
        if len(_agents) >= MAX_AGENTS:
            _agents.clear()
        _agents[agent] = verdict
    return verdict


def _judge(agent: str) -> str:
    def has(words: tuple[str, ...]) -> bool:
        return any(word in agent for word in words)

    if has(_NO_PERSON):
        return "other"
    if has(_TV) or has(_MORE_TV):
        return "tv"
    # On a telephone, browsers write `mobile` and apps write the library that sends for them.
    if has(_TABLET) or ("android" in agent and not has(("mobile", "dalvik", "okhttp"))):
        return "tablet"
    if has(_MOBILE):
        return "mobile"
    return "desktop" if has(_DESKTOP) else "other"
