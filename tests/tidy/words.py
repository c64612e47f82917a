"""Words that the project used to have of its own, each with the field's term that took its place.

docs/design.md has the glossary. Words that are also plain English, such as "say", are banned as names only: a
variable `said` does not tell what it holds.
"""

import re

# A part of a name, between underscores or capitals.
IN_NAMES = {
    "said": "what it holds: detail, message, text",
    "say": "log, print, describe",
    "says": "describe",
    "speak": "log, print",
    "standing": "net",
    "tell": "emit, report",
    "tells": "emit, report",
    "telling": "what it holds",
}

# A whole name, as it is written.
NAMES = {
    "Agent": "PartitionAgent",
    "Place": "GroupMembership",
    "cause": "caused_by",
    "home": "owner_partition; opened_dims",
    "mark": "watermark; intent",
    "marks": "watermarks; intents",
    "was": "furthest_before; before",
}

# A word or phrase: in comments and strings, and as parts of a name. A space stands for any white space.
EVERYWHERE = {
    r"horizons?": "watermark; allowed lateness",
    r"timer positions?": "timers fired up to (timers_fired_ms)",
    r"handovers?": "inbox",
    r"hand(s|ed|ing)?( it| them| this| what| events?| records?| the \w+)? over": "forward",
    r"mesh(es|ed)?": "forwarding",
    r"abroad": "foreign",
    r"(the|its|a|their|whose|at) home(?! page)|home (partition|dimension)s?": "owner partition; opened_dims",
    r"(the|its|a|their|whose|no|each|every) marks?|marks? of": "watermark; watermark report; intent",
    r"quiet": "idle",
    r"let(s|ting)?( \w+)? go": "exclude; release",
    r"deals? out|dealt(?! with)": "round-robin; assign",
    r"tales?": "journey summary",
    r"ghosts?": "people",
    r"ledgers?": "dead letters",
    r"keepers?": "Supervisor",
    r"hear(s|d)?": "receive",
    r"told": "report, emit, receive",
    r"knock(s|ed|ing)?": "probe",
    r"nudge(s|d)?": "report",
    r"spoken": "log",
    r"said aloud": "logged, printed",
}


def banned(text: str) -> list[re.Match[str]]:
    """Where the old words stand in a text."""
    return list(_EVERYWHERE.finditer(text))


def instead(match: re.Match[str]) -> str:
    """The field's term for what was found."""
    assert match.lastgroup is not None
    return _TERMS[int(match.lastgroup.removeprefix("word"))]


def banned_in_name(name: str) -> str | None:
    """The term to write instead of a name, or None: the name is fine."""
    if name in NAMES:
        return NAMES[name]
    parts = [part.lower() for part in _PARTS.findall(name)]
    for part in parts:
        if part in IN_NAMES:
            return IN_NAMES[part]
    found = _EVERYWHERE.search(" ".join(parts))
    return instead(found) if found else None


_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_TERMS = list(EVERYWHERE.values())
_EVERYWHERE = re.compile(
    "|".join(rf"(?P<word{n}>\b(?:{words})\b)" for n, words in enumerate(EVERYWHERE)).replace(" ", r"\s+"),
    re.IGNORECASE,
)
