"""Reads an address: the folded segments of its path, its parameters, and the words that people see in it.

Folded is: no host, query or trailing slash; lower case, no accents, `_` and spaces as `-`, no `.html`. So
`/it/Cart/`, `https://shop.example/it/cart?step=2` and `/#/it/cart` have the same segments.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from urllib.parse import unquote, unquote_plus

from streams.core.moments.words import MAX_TOKENS, fold_segment, folded_tokens, tokens

MAX_PATH_CHARS = 512  # longer addresses carry parameters or garbage; their beginning shows the page
MAX_ADDRESS_CHARS = 2048  # of an address whose parameters are read: the longest that browsers agree on
MAX_PARAMETERS = 64  # more are garbage
MAX_SEGMENTS = 24  # more are garbage too; it also bounds the cost of matching
_SUFFIXES = (".html", ".htm", ".php", ".aspx", ".asp", ".jsp", ".xhtml")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")  # orderConfirmation is two words
_LOCALE = re.compile(r"[a-z]{2}(?:-[a-z]{2})?")  # it, it-IT, en_us
_LOCALE_CHARS = (2, 5)
_PAGES = frozenset({"page", "pagina"})


def path_segments(address: str) -> list[str]:
    """The folded segments of a path, of a whole address, or of the path in its fragment (`/#/cart`)."""
    return [folded for _, folded in both_segments(address)]


def both_segments(address: str) -> list[tuple[str, str]]:
    """The segments as they are written, and folded. Those that fold to nothing are none."""
    text = address[:MAX_PATH_CHARS]
    scheme = text.find("://")
    if scheme >= 0:
        text = text[scheme + 3 :].partition("/")[2]
    path, hash_, fragment = text.partition("#")
    if hash_ and fragment.lstrip("!").startswith("/"):
        path = fragment.lstrip("!")
    path = path.partition("?")[0]
    if "%" in path:
        path = unquote(path)
    found = [(part, folded) for part in path.split("/") if part and (folded := fold_segment(part))]
    del found[MAX_SEGMENTS:]
    if found:
        part, folded = found[-1]
        for suffix in _SUFFIXES:
            if folded.endswith(suffix) and len(folded) > len(suffix):
                # Compatibility forms may fold to more characters; then the id keeps its suffix.
                bare = part[: -len(suffix)] if part.lower().endswith(suffix) else part
                found[-1] = bare, folded[: -len(suffix)]
                break
    return found


def parameters(address: str) -> dict[str, str]:
    """The parameters of an address by their folded names; of a name that is there twice, the first one.

    Text without a `?` is taken for the query alone, as `context.page.search` may have it.
    """
    before, asks, after = address[:MAX_ADDRESS_CHARS].partition("?")
    query = (after if asks else before).partition("#")[0]
    found: dict[str, str] = {}
    for pair in query.split("&", MAX_PARAMETERS)[:MAX_PARAMETERS]:
        name, equals, value = pair.partition("=")
        if equals:
            found.setdefault(fold_segment(unquote_plus(name)), unquote_plus(value))
    return found


def path_words(segments: Sequence[tuple[str, str]]) -> list[str]:
    """The words of a path's segments without numbers, ids, the segment of a language and `page` before a
    number.

    Of `/it/guide/come-scegliere-42` they are guide, come, scegliere.
    """
    words: list[str] = []
    numbered = dict(pairwise(segments))
    for written, folded in segments:
        if folded in _PAGES and numbered.get((written, folded), ("", ""))[1].isdigit():
            continue  # the second page of a list: what is listed tells more
        if len(folded) in _LOCALE_CHARS and _LOCALE.fullmatch(folded):
            continue
        is_plain = folded == written or not _HUMP.search(written)
        words += folded_tokens(folded) if is_plain else tokens(_HUMP.sub(" ", written))
    return [word for word in words if word.isalpha() or not any(map(str.isdigit, word))][:MAX_TOKENS]
