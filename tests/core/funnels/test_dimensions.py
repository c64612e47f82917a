"""Dimensions read from closed vocabularies under which values an event is counted."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.funnels import context as readings
from streams.core.funnels.dimensions import (
    DEFAULT_DIMENSIONS,
    DEVICE,
    MAX_DIMENSION_CODES,
    Dimension,
    Dimensions,
)
from streams.core.ingest.event import Event
from streams.errors import ConfigError

DEFAULT = Dimensions()
COUNTRY = Dimension(
    "country", ("IT", "es", "Fr"), "context.location.country", {"Italia": "IT", "spain": "ES"}
)

IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.4 Mobile/15E148 Safari/604.1"
)
PIXEL = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 "
    "Mobile Safari/537.36"
)
GALAXY_TAB = (
    "Mozilla/5.0 (Linux; Android 13; SM-X200) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 "
    "Safari/537.36"
)
IPAD = (
    "Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/12.1.2 Mobile/15E148 Safari/604.1"
)
WINDOWS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 "
    "Safari/537.36"
)
MAC = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.4 Safari/605.1.15"
)
LINUX = "Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0"
TIZEN = (
    "Mozilla/5.0 (SMART-TV; LINUX; Tizen 6.0) AppleWebKit/537.36 (KHTML, like Gecko) Version/6.0 TV "
    "Safari/537.36"
)
GOOGLEBOT = (
    "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X) Chrome/124.0.0.0 Mobile Safari/537.36 (compatible; "
    "Googlebot/2.1; +http://www.google.com/bot.html)"
)


def event(kind: str = "track", channel: Any = None, context: Any = None, **properties: Any) -> Event:
    """An event that holds only these fields."""
    return Event("m", 0, 0, "d", None, kind, "", properties, context or {}, channel)


def agent(text: Any) -> Event:
    """An event with only a user agent."""
    return event(context={"userAgent": text})


@pytest.mark.parametrize(
    ("found", "device"),
    [
        (event(), "other"),
        (event(context={"device": {"type": "Tablet"}}), "tablet"),
        (event(context={"device": {"type": "ios", "model": "iPhone15,2"}}), "mobile"),
        (event(context={"device": {"type": "ios", "model": "iPad13,1"}}), "tablet"),
        (event(context={"device": {"type": "smartTV"}, "userAgent": WINDOWS}), "tv"),
        (event(context={"device": {"type": "fridge"}, "userAgent": WINDOWS}), "desktop"),
        (event(context={"device": "tablet"}), "other"),
        (event(context={"userAgentData": {"mobile": True}, "userAgent": WINDOWS}), "mobile"),
        (event(context={"userAgentData": {"mobile": False}, "userAgent": GALAXY_TAB}), "tablet"),
        (event(context={"userAgentData": {"mobile": False}}), "desktop"),
        (event(context={"userAgentData": {"mobile": "yes"}}), "other"),
        (agent(IPHONE), "mobile"),
        (agent(PIXEL), "mobile"),
        (agent("MyShop/3.1 (Android 14; Dalvik/2.1.0)"), "mobile"),
        (agent("MyShop/3.1 CFNetwork/1490 Darwin/23.2.0"), "mobile"),
        (agent(GALAXY_TAB), "tablet"),
        (agent(IPAD), "tablet"),
        (agent(WINDOWS), "desktop"),
        (agent(MAC), "desktop"),
        (agent(LINUX), "desktop"),
        (agent(TIZEN), "tv"),
        (agent(GOOGLEBOT), "other"),
        (agent("curl/8.1"), "other"),
        (agent(""), "other"),
        (agent(5), "other"),
        (agent("x" * 100_000), "other"),
        (event(device="PC"), "desktop"),
        (event(device="iPhone 15 Pro case"), "other"),
        (event(context={"userAgent": IPHONE}, device="desktop"), "mobile"),
    ],
)
def test_device(found: Event, device: str) -> None:
    """The first place with a known word decides the device."""
    assert device == DEFAULT.names(DEFAULT.code(found))["device"]


@pytest.mark.parametrize(
    ("found", "channel"),
    [
        (event(), "other"),
        (event("page"), "web"),
        (event("screen"), "app"),
        (event("identify"), "other"),
        (event(channel="browser"), "web"),
        (event(channel="mobile"), "app"),
        (event(channel="SERVER"), "server"),
        (event(channel="kiosk"), "other"),
        (event("page", "store"), "store"),
        (event("page", "kiosk"), "other"),
        (event("page", ""), "web"),
        (event("page", channel="server", context={"channel": "email"}), "server"),
        (event(context={"channel": "email"}), "email"),
        (event("screen", context={"channel": "kiosk"}), "other"),
    ],
)
def test_channel(found: Event, channel: str) -> None:
    """The event's own channel comes first, then the context's, then the type of call."""
    assert channel == DEFAULT.names(DEFAULT.code(found))["channel"]


@pytest.mark.parametrize(
    ("kind", "said", "channel"),
    [("track", "ios", "app"), ("page", "organic", "web"), ("track", "organic", "other")],
)
def test_channel_in_properties(kind: str, said: str, channel: str) -> None:
    """A known word in properties.channel is the channel; an unknown one is the campaign's."""
    found = event(kind)
    found.properties["channel"] = said
    assert channel == DEFAULT.names(DEFAULT.code(found))["channel"]


@pytest.mark.parametrize(
    ("said", "country"),
    [
        ("IT", "IT"),
        ("it", "IT"),
        ("ITALIA", "IT"),
        ("Spain", "es"),
        ("FR", "Fr"),
        ("de", "other"),
        ("other", "other"),
        ("", "other"),
        (None, "other"),
        (["IT"], "other"),
        ({"IT": 1}, "other"),
        (True, "other"),
        (1.0, "other"),
        pytest.param(10**5000, "other", id="more digits than str() gives"),
        ("it" * 100_000, "other"),
    ],
)
def test_custom(said: object, country: str) -> None:
    """A custom dimension is read at its path; a value that is not in the list is `other`."""
    dimensions = Dimensions((COUNTRY,))
    assert {"country": country} == dimensions.names(
        dimensions.code(event(context={"location": {"country": said}}))
    )


def test_numbers_are_values() -> None:
    """A whole number is the value of its digits; true is no number."""
    dimensions = Dimensions((Dimension("tier", ("1", "2"), "properties.tier"),))
    assert [1, 2, 2, 0, 0] == [dimensions.code(event(tier=tier)) for tier in (1, 2, "2", 3, True)]


def test_codes_are_fixed() -> None:
    """Codes follow from the dimensions alone: the first counts the most, and `other` is 0."""
    dimensions = Dimensions((*DEFAULT_DIMENSIONS, COUNTRY))
    assert 5 * 6 * 4 == dimensions.codes
    found = event(channel="web", context={"device": {"type": "tablet"}, "location": {"country": "fr"}})
    assert (2 * 6 + 1) * 4 + 3 == dimensions.code(found)
    assert {"device": "tablet", "channel": "web", "country": "Fr"} == dimensions.names(55)
    assert [2, 1, 3] == [dimensions.index(55, name) for name in ("device", "channel", "country")]
    assert 0 == dimensions.code(event())


def test_names_and_indexes_agree() -> None:
    """Every code has names of its own, and they are at the places that `index` gives."""
    dimensions = Dimensions((*DEFAULT_DIMENSIONS, COUNTRY))
    seen = set()
    for code in range(dimensions.codes):
        names = dimensions.names(code)
        seen.add(tuple(names.values()))
        for spec in dimensions.specs:
            assert names[spec.name] == ("other", *spec.values)[dimensions.index(code, spec.name)]
    assert dimensions.codes == len(seen)


def test_no_dimensions() -> None:
    """Without dimensions there is one code, with no names."""
    dimensions = Dimensions(())
    assert (1, 0, {}) == (dimensions.codes, dimensions.code(event()), dimensions.names(0))


def test_a_device_list_of_ones_own() -> None:
    """The built-in reader serves a shorter list: other devices are `other`.

    With a path, only the path is read.
    """
    short = Dimensions((Dimension("device", ("Mobile",)),))
    assert [1, 0] == [short.code(agent(PIXEL)), short.code(agent(GALAXY_TAB))]
    own = Dimensions((Dimension("device", DEVICE.values, "properties.screen"),))
    assert [0, 2] == [own.code(agent(PIXEL)), own.code(event(screen="tablet"))]


@pytest.mark.parametrize(
    ("specs", "words"),
    [
        ([Dimension("", ("a",), "name")], ["name of its own"]),
        ([COUNTRY, COUNTRY], ["country", "name of its own"]),
        ([Dimension("country", ("a",))], ["country.path", "device and channel"]),
        ([Dimension("c", ("a",), "location.country")], ["'location.country'", "context"]),
        ([Dimension("c", ("a",), "context..country")], ["'context..country'"]),
        ([Dimension("c", ("a", "A"), "name")], ["c.values", "'a'"]),
        ([Dimension("c", ("a", ""), "name")], ["c.values", "''"]),
        ([Dimension("c", ("Other",), "name")], ["c.values", "always there"]),
        ([Dimension("c", ("a",), "name", {"x": "b"})], ["c.aliases.x", "'b'", "one of a"]),
        ([Dimension("c", ("a", "b"), "name", {"A": "b"})], ["c.aliases.A"]),
        (
            [
                Dimension("c", tuple(map(str, range(255))), "name"),
                Dimension("d", tuple(map(str, range(256))), "name"),
            ],
            ["65792", "c 256, d 257"],
        ),
    ],
)
def test_specs_that_make_no_sense(specs: list[Dimension], words: list[str]) -> None:
    """A bad dimension is refused with the key, the value and what would be right."""
    with pytest.raises(ConfigError) as error:
        Dimensions(specs)
    assert all(word in str(error.value) for word in words), error.value


def test_as_many_codes_as_two_bytes_hold() -> None:
    """The bound itself is accepted."""
    words = tuple(map(str, range(255)))
    assert (
        MAX_DIMENSION_CODES
        == Dimensions((Dimension("c", words, "name"), Dimension("d", words, "type"))).codes
    )


def test_the_memory_of_user_agents_is_bounded() -> None:
    """Ever new user agents, however long, do not grow the process."""
    for n in range(readings.MAX_AGENTS + 10):
        DEFAULT.code(agent(f"Browser/{n} {'x' * 1000}"))
    assert len(readings._agents) <= readings.MAX_AGENTS
    assert all(len(known) <= readings.MAX_AGENT_CHARS for known in readings._agents)


texts = st.text(max_size=8) | st.sampled_from(["ios", "mobile", "iPad", "web", "IT"])
leaves = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=6,
)
devices = st.fixed_dictionaries({}, optional={"type": values, "model": values})
contexts = st.fixed_dictionaries(
    {},
    optional={
        "device": values | devices,
        "userAgentData": values,
        "userAgent": values,
        "channel": values,
        "location": values,
    },
)


@given(st.sampled_from(["track", "page", "screen", "identify"]), st.none() | texts, contexts, values, values)
def test_any_event_has_a_code(
    kind: str, channel: str | None, context: dict[str, Any], first: Any, second: Any
) -> None:
    """Any event has one code, and has it again when it is asked again."""
    dimensions = Dimensions((*DEFAULT_DIMENSIONS, COUNTRY))
    found = Event("m", 0, 0, "d", None, kind, "", {"channel": first, "device": second}, context, channel)
    code = dimensions.code(found)
    assert 0 <= code < dimensions.codes
    assert code == dimensions.code(found)
    dimensions.names(code)
