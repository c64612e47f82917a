"""Where events say which device and channel they came from: several places, of which the first that says something known holds.

A reading asks `index` what a word is worth in the vocabulary: 0 when it is not in it.
"""

from collections.abc import Callable
from typing import Any

from streams.core.ingest.event import Event

Index = Callable[[Any], int]

MAX_AGENT_CHARS = 512  # of a user agent: what tells devices apart stands at its beginning
MAX_AGENTS = 4096  # verdicts remembered; a big site sees some thousand agents a day, so at most 3 MB

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
_MORE_TV = (
    "bravia",
    "roku",
    "crkey",
    " aft",
    "viera",
    "playstation",
    "xbox",
    "nintendo",
)  # what is looked at across the room
_TABLET = ("ipad", "tablet", "kindle", "silk/", "playbook")
_MOBILE = ("iphone", "ipod", "mobile", "android", "phone", "blackberry", "opera mini", "cfnetwork")
_DESKTOP = ("windows nt", "macintosh", "x11", "linux", "cros ")
_TYPE_CHANNELS = {"screen": "app", "page": "web"}  # what nobody would send from anywhere else
_agents: dict[str, str] = {}


def device_of(event: Event, index: Index) -> int:
    """From context.device.type, context.userAgentData.mobile, context.userAgent, properties.device."""
    context = event.context
    hardware = context.get("device")
    if type(hardware) is dict and (known := index(hardware.get("type"))):
        model = hardware.get("model")
        is_ipad = type(model) is str and model.startswith("iPad")  # whose type is "ios", as a phone's is
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
    """From the event's own channel, context.channel, properties.channel; else by the type of call."""
    own, inner = event.channel, event.context.get("channel")
    if own and (known := index(own)):
        return known
    if inner and (known := index(inner)):
        return known
    if known := index(event.properties.get("channel")):
        return known
    # properties.channel is often where a visitor came from (organic, paid): an unknown word there says nothing against web or app.
    return 0 if own or inner else index(_TYPE_CHANNELS.get(event.type))


BUILT_IN_DIMENSIONS: dict[str, Callable[[Event, Index], int]] = {"device": device_of, "channel": channel_of}


def _of_agent(agent: str) -> str:
    verdict = _agents.get(agent)
    if verdict is None:
        verdict = _judge(agent.lower())
        if len(_agents) >= MAX_AGENTS:
            _agents.clear()
        _agents[agent] = verdict
    return verdict


def _judge(agent: str) -> str:
    def says(words: tuple[str, ...]) -> bool:
        return any(word in agent for word in words)

    if says(_NO_PERSON):
        return "other"
    if says(_TV) or says(_MORE_TV):
        return "tv"
    if says(_TABLET) or (
        "android" in agent and "mobile" not in agent and "dalvik" not in agent and "okhttp" not in agent
    ):
        return "tablet"
    if says(_MOBILE):
        return "mobile"
    return "desktop" if says(_DESKTOP) else "other"
