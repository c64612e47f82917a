"""The table of what the API answers: the routes and the OpenAPI document are made from it."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_type_hints

import msgspec

from streams.dashboard import answers
from streams.dashboard.answers import AppState

ASKED = ("range", "by", "where")
FILTERED = ("range", "where")


class Parameter(NamedTuple):
    """A parameter of an address."""

    about: str
    schema: dict[str, Any]


PARAMETERS = {
    "range": Parameter(
        "how far to look back from how far event time has come",
        {"type": "string", "enum": ["24h", "7d", "28d"], "default": "24h"},
    ),
    "by": Parameter("the dimension by which journeys are parted", {"type": "string"}),
    "where": Parameter(
        "only these values of dimensions: `where.device=mobile`; the moves, purchases and cues of events "
        "that had them, and journeys whose opening had them",
        {"type": "object", "additionalProperties": {"type": "string"}},
    ),
    "last": Parameter(
        "only journeys opened in the last 30m, 1h, 36h, 7d: whole minutes, hours or days", {"type": "string"}
    ),
    "until": Parameter(
        "the end of that window, if it is not now: a time, or how long ago", {"type": "string"}
    ),
    "at": Parameter("what was known to have happened by then: a time, or how long ago", {"type": "string"}),
}


class Endpoint(NamedTuple):
    """Something that can be asked for."""

    path: str
    about: str
    parameters: Sequence[str]
    answer: Any
    method: Literal["get", "post"] = "get"


OVERVIEW_PARTS = {
    "people": "Journeys under way, by the moment that they are in.",
    "moves": "How often journeys moved from moment to moment in the range.",
    "purchases": "Purchases in the range, beside what is usual at these hours of the week.",
    "revenue": "ShownMoney of the range, by currency.",
    "opened": "Journeys opened in the range, and what has become of them.",
    "by": "How far the journeys came that were opened in the range, by a dimension.",
    "hours": "Purchases by hour of the week.",
    "dwell": "How long stays lasted that ended in the range.",
    "cues": "What happened inside moments in the range.",
    "latest": "The latest moves.",
}
"""ShownParts of the overview that can be asked for alone."""


def part_answer(name: str) -> Any:
    """The type of the answer with one part."""
    fields = get_type_hints(answers.Overview, include_extras=True)
    return msgspec.defstruct(
        f"{name.capitalize()}Answer",
        [("as_of", str | None), ("state", AppState), (name, fields[name])],
        frozen=True,
        namespace={"__doc__": OVERVIEW_PARTS[name]},
    )


ENDPOINTS = (
    Endpoint("/api/overview", "All figures of the page.", ASKED, answers.Overview),
    *(
        Endpoint(f"/api/{name}", about, ASKED if name == "by" else FILTERED, part_answer(name))
        for name, about in OVERVIEW_PARTS.items()
    ),
    Endpoint(
        "/api/funnel",
        "How far journeys came, over all time or in a window: the numbers of `streams funnel`.",
        ("last", "until", "by", "where"),
        answers.FunnelAnswer,
    ),
    Endpoint("/api/cohorts", "Cohorts one after the other.", FILTERED, answers.Cohorts),
    Endpoint("/api/progress", "How far each partition has come.", (), answers.Partitions),
    Endpoint("/api/profiles/{key}", "The story of a person.", ("at",), answers.Story),
    Endpoint(
        "/api/profiles", "The same, with the id in the body and in no log.", (), answers.Story, method="post"
    ),
    Endpoint("/api/stream", "What is new, as server-sent events.", ASKED, None),
)
