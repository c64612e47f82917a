"""The journey machine, drawn: docs/journeys.md shows what the table says, and can show nothing else."""

from streams.core.journeys.machine import (
    ADVANCE,
    BUY,
    CONFIRM,
    CONVERT,
    IGNORE,
    KIND_OF_MOVE,
    OPEN,
    RETURN,
    TABLE,
    TIMERS,
)
from streams.core.journeys.transition import (
    ABANDONED,
    CONVERTED,
    KIND_NAMES,
    NO_MOMENT,
    OPENED,
    REFUNDED,
    RESUMED,
    STALLED,
)
from streams.core.moments.verdict import INTENTS, TRUTH

MOMENTS = INTENTS[:TRUTH]
SIGNALS = (*INTENTS[: TRUTH + 1], "unsure")
WORDS = {
    IGNORE: "",
    CONFIRM: "confirmed",
    OPEN: KIND_NAMES[OPENED],
    BUY: f"{KIND_NAMES[OPENED]}, {KIND_NAMES[CONVERTED]}",
    **{action: KIND_NAMES[kind] for action, kind in KIND_OF_MOVE.items()},
}


def mermaid() -> str:
    """The moments of an open journey and the ways in and out, as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", "    direction LR"]
    lines += [
        f"    [*] --> {SIGNALS[intent]}: {WORDS[TABLE[NO_MOMENT][intent]]}" for intent in range(TRUTH + 1)
    ]
    lines.append("    state open {")
    for action in (ADVANCE, RETURN):
        lines += [
            f"        {moment} --> {MOMENTS[to]}: {WORDS[action]}"
            for row, moment in enumerate(MOMENTS)
            for to in range(TRUTH)
            if TABLE[row][to] == action
        ]
    lines.append("    }")
    assert {TABLE[row][TRUTH] for row in range(TRUTH)} == {CONVERT}, "one arrow stands for all moments"
    lines.append(f"    open --> truth: {KIND_NAMES[CONVERTED]}")
    (stalled, silent), (abandoned, long_silent) = TIMERS
    assert (stalled, abandoned) == (STALLED, ABANDONED)
    lines += [
        f"    open --> stalled: {silent}",
        f"    stalled --> open: {KIND_NAMES[RESUMED]}",
        f"    stalled --> abandoned: {long_silent}",
        f"    truth --> refunded: {KIND_NAMES[REFUNDED]}",
        "    truth --> [*]",
        "    abandoned --> [*]",
    ]
    return "\n".join(lines) + "\n"


def table() -> str:
    """What each signal does in each moment, as a Markdown table."""
    lines = ["| in | " + " | ".join(SIGNALS) + " |", "|---" * (len(SIGNALS) + 1) + "|"]
    for name, row in zip((*MOMENTS, "none"), TABLE, strict=True):
        lines.append(f"| **{name}** | " + " | ".join(WORDS[action] for action in row) + " |")
    return "\n".join(lines) + "\n"


def section() -> str:
    """Both, with the words they need."""
    return f"""\
```mermaid
{mermaid()}```

{table()}
Columns are signals, rows the moment a person is in. *confirmed* says nothing and is a sign of life; an empty cell is not even that. A journey that
stalled is in its moment still: whatever signal comes but a refund or a repeat of a purchase, it is *resumed* before its row is read. *stalled* and
*abandoned* are said by silence, not by a signal. Refunds, and truths that join an earlier conversion, never come to this table: *refunded* is a new
fact about a conversion, which stays one.
"""
