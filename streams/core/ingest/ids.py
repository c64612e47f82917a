"""What an id may be. It becomes part of keys, file names, terminals and URLs, so it must be short and visible.

Collectors write `"userId": ""` for somebody not signed in, so an empty id is an absent one.
"""

import re

MAX_ID_CHARS = 256  # uuids have 36, e-mail addresses up to 254; longer ones are payloads in the wrong field

_HIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def id_fault(identifier: str) -> str | None:
    """What is wrong with a non-empty id, in words; None when nothing is."""
    if len(identifier) > MAX_ID_CHARS:
        return f"has {len(identifier)} characters, more than {MAX_ID_CHARS}"
    if identifier.isspace():
        return "is blank"
    if (
        identifier.isprintable()
    ):  # quick, and true of nearly all; what is not is not yet barred: an unusual space, say
        return None
    return "has control characters or lone surrogates" if _HIDDEN.search(identifier) else None
