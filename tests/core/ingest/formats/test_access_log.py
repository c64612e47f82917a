"""Lines of access logs: the traps, one by one."""

import gzip
from pathlib import Path

import pytest

from streams.core.ingest.event import Event, Items, Reason, Rejection
from streams.core.ingest.formats.detection import detect
from streams.core.ingest.headers import ORDINAL_HEADER, decisive_headers
from tests.core.ingest.formats.verdicts import moment_of
from tests.reading import read_record

AGENT = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X)"
AT_MS = 1_716_199_200_000  # of a line
HASHED = 32  # hex digits


def line(
    request: str = "GET /product/lamp HTTP/1.1",
    status: int = 200,
    *,
    address: str = "192.0.2.7",
    agent: str = AGENT,
    user: str = "-",
) -> bytes:
    """A line with some of its parts changed."""
    time = "20/May/2024:10:00:00 +0000"
    return f'{address} - {user} [{time}] "{request}" {status} 512 "-" "{agent}"'.encode()


def event(value: bytes, ordinal: str | None = None) -> Event:
    """A line that is an event."""
    found = read_record(value, () if ordinal is None else ((ORDINAL_HEADER, ordinal.encode()),))
    assert isinstance(found, Event), found
    return found


@pytest.mark.parametrize(
    ("request_line", "kind", "name", "moment"),
    [
        ("GET /product/lamp HTTP/1.1", "page", "/product/lamp", "know"),
        ("GET /cart?step=2 HTTP/2.0", "page", "/cart", "buy"),
        ("GET /checkout/order-received/17/ HTTP/1.1", "page", "/checkout/order-received/17/", "truth"),
        ("POST /cart/add HTTP/1.1", "track", "POST /cart/add", "buy"),
        ("POST /order-received/17 HTTP/1.1", "track", "POST /order-received/17", "none"),
        ("GET /search?q=how+to+hang+a+lamp HTTP/1.1", "page", "/search", "do"),
        ("GET /about HTTP/1.1", "page", "/about", "know"),
        ("GET https://shop.example/stores HTTP/1.1", "page", "/stores", "go"),
        ("GET /product/v1.2 HTTP/1.1", "page", "/product/v1.2", "know"),
        ("GET /manuals/lamp.pdf HTTP/1.1", "page", "/manuals/lamp.pdf", "do"),
        ("GET /cart", "page", "/cart", "buy"),
    ],
)
def test_pages(request_line: str, kind: str, name: str, moment: str) -> None:
    """A page is a page by its path; what is sent there is a track."""
    found = event(line(request_line))
    assert (kind, name, moment, AT_MS) == (found.type, found.name, moment_of(found), found.at_ms)


@pytest.mark.parametrize(
    "value",
    [
        line("GET /images/lamp.PNG HTTP/1.1"),
        line("GET /style.css?v=3 HTTP/1.1"),
        line("GET /robots.txt HTTP/1.1"),
        line("GET /sitemap.xml HTTP/1.1"),
        line("GET /favicon.ico HTTP/1.1"),
        line("GET /.well-known/security.txt HTTP/1.1"),
        line("GET /healthz HTTP/1.1"),
        line("HEAD /product/lamp HTTP/1.1"),
        line("OPTIONS * HTTP/1.0"),
        line("GET * HTTP/1.0"),
        line("-", 408),
        line(r"\x16\x03\x01\x00", 400),
        line(status=301),
        line(status=404),
        line(status=500),
        line(status=206),
    ],
)
def test_what_is_no_page(value: bytes) -> None:
    """Assets, what robots ask for, errors and redirections show nobody a page: there is no event."""
    assert Items(()) == read_record(value)


def test_a_device_is_an_address_with_a_program() -> None:
    """It is a hash of both; the address itself is in no field."""
    one = event(line())
    assert one.anonymous_id is not None
    assert HASHED == len(one.anonymous_id)
    assert one.anonymous_id == event(line("GET /cart HTTP/1.1")).anonymous_id
    assert one.anonymous_id != event(line(agent="other")).anonymous_id
    assert one.anonymous_id != event(line(address="192.0.2.8")).anonymous_id
    assert "192.0.2.7" not in str(one)


def test_an_address_of_version_six() -> None:
    """It is no virtual host, and a user's name may have a blank."""
    found = event(line(address="2001:db8::7", user="ada lovelace"))
    assert "ada lovelace" == found.user_id
    assert found.anonymous_id == event(line(address="2001:db8::7")).anonymous_id
    assert found.anonymous_id != event(line(address="-", user="ada")).anonymous_id


def test_a_user() -> None:
    """The remote user is the person; a dash is none."""
    assert "u:ada" == event(line(user="ada")).profile
    assert event(line()).user_id is None
    assert () == event(line()).repairs


def test_equal_lines() -> None:
    """They are one event, unless a header says which of them each is."""
    assert event(line()).id == event(line() + b"\n").id
    assert 3 == len({event(line(), ordinal).id for ordinal in (None, "0", "1")})
    assert ((ORDINAL_HEADER, b"1"),) == decisive_headers(((ORDINAL_HEADER, b"1"),))


@pytest.mark.parametrize(
    "text",
    [
        "some text",
        '192.0.2.7 - - [20/May/2024:10:00:00] "GET / HTTP/1.1" 200 1 "-" "-"',
        "20/May/2024:10:00:00 +0000 GET /",
        "",
    ],
)
def test_other_lines(text: str) -> None:
    """A line without the time of the format, or its brackets, is of another."""
    assert "access-log" != detect(text, ())


def test_a_line_that_begins_well() -> None:
    """What begins as a line of a log and goes on otherwise is refused."""
    found = read_record(line().replace(b" 200 512", b" OK 512"))
    assert isinstance(found, Rejection)
    assert Reason.UNKNOWN_FORMAT == found.reason


def test_bytes_that_are_not_utf8() -> None:
    """They are read as U+FFFD, and the device is the same each time."""
    value = line(agent="agent ?").replace(b"?", b"\xff")
    assert "agent \ufffd" == event(value).context["userAgent"]
    assert event(value) == event(value)


def test_a_real_log() -> None:
    """Every line of a real log is read; of six in ten nobody saw a page."""
    with gzip.open(Path(__file__).parent / "real" / "access_log.gz") as lines:
        found = [read_record(value) for value in lines]
    events = [one for one in found if isinstance(one, Event)]
    assert 1000 == len(found)
    assert not any(isinstance(one, Rejection) for one in found)
    assert 300 < len(events) < 500
    assert all(one.type == "page" and one.name.startswith("/") for one in events)
