"""Draws the journey machine from its table, so that docs/journeys.md can show nothing else."""

from streams.core.journeys.journey_step import (
    ABANDONED,
    CONVERTED,
    KIND_NAMES,
    NO_MOMENT,
    OPENED,
    PARTIALLY_REFUNDED,
    REFUNDED,
    RESUMED,
    STALLED,
)
from streams.core.journeys.machine import (
    ADVANCE,
    CONFIRM,
    CONVERT,
    IGNORE,
    KIND_OF_MOVE,
    OPEN,
    PURCHASE,
    RETURN,
    TABLE,
)
from streams.core.moments.verdict import INTENTS, TRUTH

MOMENTS = INTENTS[:TRUTH]
SIGNAL_NAMES = (*INTENTS[: TRUTH + 1], "unsure")
WORDS = {
    IGNORE: "",
    CONFIRM: "confirmed",
    OPEN: KIND_NAMES[OPENED],
    PURCHASE: f"{KIND_NAMES[OPENED]}, {KIND_NAMES[CONVERTED]}",
    **{action: KIND_NAMES[kind] for action, kind in KIND_OF_MOVE.items()},
}


def mermaid() -> str:
    """The moments of an open journey and the ways in and out, as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", "    direction LR"]
    lines += [
        f"    [*] --> {SIGNAL_NAMES[intent]}: {WORDS[TABLE[NO_MOMENT][intent]]}"
        for intent in range(TRUTH + 1)
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
    lines += [
        f"    open --> {KIND_NAMES[STALLED]}: silent for the moment's patience",
        f"    {KIND_NAMES[STALLED]} --> open: {KIND_NAMES[RESUMED]}",
        f"    {KIND_NAMES[STALLED]} --> {KIND_NAMES[ABANDONED]}: silent for the long patience",
        f"    truth --> truth: {KIND_NAMES[PARTIALLY_REFUNDED]}",
        f"    truth --> {KIND_NAMES[REFUNDED]}: {KIND_NAMES[REFUNDED]}",
        "    truth --> [*]",
        f"    {KIND_NAMES[ABANDONED]} --> [*]",
    ]
    return "\n".join(lines) + "\n"


def table() -> str:
    """What each signal does in each moment, as a Markdown table."""
    lines = ["| in | " + " | ".join(SIGNAL_NAMES) + " |", "|---" * (len(SIGNAL_NAMES) + 1) + "|"]
    for name, row in zip((*MOMENTS, "none"), TABLE, strict=True):
        lines.append(f"| **{name}** | " + " | ".join(WORDS[action] for action in row) + " |")
    return "\n".join(lines) + "\n"


def section() -> str:
    """The diagram and the table, with a paragraph that explains them."""
    return f"""\
```mermaid
{mermaid()}```

{table()}
Columns are signals, and rows are the moment that a person is in. *confirmed* publishes nothing and is a sign
of life; an empty cell is not even that. A journey that has stalled is still in its moment: any signal but a
refund or a repeat of a purchase *resumes* it before its row is read. *stalled* and *abandoned* come from
silence, not from a signal. What is about an earlier conversion never comes to this table: refunds, truths
that join one, and with no journey open a buy signal in its grace. *partially_refunded* and *refunded* are
new facts about a conversion, which stays one. An update that does not join comes to the row of *buy*
only.
"""
