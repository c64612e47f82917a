"""The rule for ids. An id becomes part of keys, file names and URLs, so it must be short and visible.

Collectors write `"userId": ""` for somebody who is not signed in, so an empty id counts as an absent one.
"""

import re

MAX_ID_CHARS = 256  # uuids have 36, e-mail addresses up to 254; longer ones are payloads in the wrong field

_HIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def id_fault(identifier: str) -> str | None:
    """Describes what is wrong with a non-empty id; None when nothing is."""
    if len(identifier) > MAX_ID_CHARS:
        return f"has {len(identifier)} characters, more than {MAX_ID_CHARS}"
    if identifier.isspace():
        return "is blank"
    # This check is quick, and nearly all ids pass. An id that fails may still be fine: an unusual space is.
    if identifier.isprintable():
        return None
    return "has control characters or lone surrogates" if _HIDDEN.search(identifier) else None
