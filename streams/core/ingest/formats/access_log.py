"""Reads lines of a web server's access log, in the combined format of Apache and nginx.

A log knows no visitor: whoever comes from one address with one program counts as one device. Only the hash of
both goes into the event.
"""

import re
from hashlib import blake2b
from typing import Any

from streams.core.ingest.draft import Draft, Found, Stamp
from streams.core.ingest.event import Reason, Rejection, reject
from streams.core.ingest.formats.format import Format, InputContext
from streams.core.ingest.formats.shape import filled, page_of
from streams.core.ingest.headers import ORDINAL_HEADER, header

DEVICE_BYTES = 16  # of the hash of an address and a program

_QUOTED = r'(?:[^"\\]++|\\.)*+'
_BEGIN = re.compile(r'\S+ \S+ .{0,256}?\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "')
_LINE = re.compile(
    r"(?:[\w.-]+:\d+ )?"  # a virtual host and its port; an IPv6 address has more colons
    r"(?P<address>\S+) \S+ (?P<user>.{1,256}?) "
    r"\[(?P<day>\d\d)/(?P<month>[A-Z][a-z]{2})/(?P<year>\d{4}):(?P<time>\d\d:\d\d:\d\d) "
    r"(?P<offset>[+-]\d{4})\] "
    rf'"(?P<request>{_QUOTED})" (?P<status>\d{{3}}) (?P<bytes>\d+|-)'
    # The last quote is missing where a line was cut.
    rf'(?: "(?P<referrer>{_QUOTED})"(?: "(?P<agent>{_QUOTED})"?)?)?'
    r".*",
    re.DOTALL,
)
_REQUEST = re.compile(r"(GET|POST) (\S+)(?: HTTP/[\d.]+)?")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SEEN = (
    "200",
    "201",
    "203",
    "304",
)  # what the person got to see; others are errors, parts, and ways to elsewhere
_NO_PAGES = frozenset(
    {
        "css", "js", "mjs", "map", "png", "jpg", "jpeg", "gif", "webp", "avif", "svg", "ico", "bmp", "woff",
        "woff2", "ttf", "eot", "otf", "mp3", "mp4", "webm", "ogg", "wav", "m4a", "mov", "avi", "zip", "gz",
        "tgz", "tar", "rar", "7z", "bz2", "dmg", "exe", "iso", "json", "xml", "txt", "rss", "atom", "wasm",
        "swf", "webmanifest",
    }
)  # fmt: skip
"""How files end that pages load by themselves, that robots ask for, and that are no page."""
_OF_MACHINES = ("/.well-known/", "/healthz", "/livez", "/readyz", "/server-status", "/wp-cron", "/xmlrpc")


def is_access_log(document: Any) -> bool:
    """True for a line of an access log."""
    return isinstance(document, str) and _BEGIN.match(document) is not None


def _read(document: Any, found: InputContext) -> Draft | Rejection | None:
    """Reads one line. A line that shows nobody a page holds no event."""
    match = _LINE.fullmatch(document) if isinstance(document, str) else None
    if match is None:
        return reject(Reason.UNKNOWN_FORMAT, "not a line of an access log in the combined format")
    referrer, agent = match["referrer"], match["agent"]
    asked = _REQUEST.fullmatch(match["request"])
    if asked is None or match["status"] not in _SEEN:
        return None
    method, target = asked.groups()
    page = page_of(target, None if referrer == "-" else referrer)
    path = page.get("path", "")
    if not path.startswith("/") or _is_no_page(path):
        return None
    is_page = method == "GET"
    return Draft(
        type="page" if is_page else "track",
        names=(Found("request", path if is_page else f"{method} {path}"),),
        ids=(),
        users=() if match["user"] in ("-", '""') else (Found("user", match["user"]),),
        devices=() if match["address"] == "-" else (Found("address", _device(match["address"], agent)),),
        happened=_time(match),
        properties=Found(
            "",
            filled({"method": method, "http_status": int(match["status"]), "bytes": _bytes(match["bytes"])}),
        ),
        context=Found("", filled({"page": page, "userAgent": None if agent == "-" else agent})),
        identity=[document, header(found.headers, ORDINAL_HEADER)],
        channel=Found("", "web"),
    )


def _is_no_page(path: str) -> bool:
    plain = path.lower()
    name = plain.rpartition("/")[2]
    return plain.startswith(_OF_MACHINES) or (name.rpartition(".")[2] in _NO_PAGES if "." in name else False)


def _device(address: str, agent: str | None) -> str:
    """The id of whoever comes from an address with a program, 32 hex digits."""
    text = f"{address}\n{agent or ''}"
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DEVICE_BYTES).hexdigest()


def _time(match: re.Match[str]) -> tuple[Stamp, ...]:
    month = _MONTHS.index(match["month"]) + 1 if match["month"] in _MONTHS else 0  # there is no such day then
    text = f"{match['year']}-{month:02d}-{match['day']}T{match['time']}{match['offset']}"
    return (Stamp("time", text, corrected=True),)


def _bytes(text: str) -> int | None:
    return int(text[:15]) if text != "-" else None


ACCESS_LOG_FORMAT = Format(
    name="access-log",
    title="access logs of Apache and nginx",
    version=1,
    draft=_read,
    decisive=frozenset({"time"}),
)
