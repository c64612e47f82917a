"""Agents of your own, beside the partition agents and in the same process:

    streams run --kafka localhost:9092 --app shop --input clicks --agents examples/my_agents.py

Each step of each journey comes at least once: a restart, or a worker that joins, may bring some again. (id, rev) tells them apart. An agent that
raises is started again with the same record, three times, and then ends the worker: catch what you can live without.
"""

import sys
from collections import Counter

from streams.host import Recent, app, current, transitions

recent = Recent()
standing: Counter[tuple[str, str | None]] = Counter()  # kind, moment left -> how many steps stand


@app.agent(transitions)
async def left_at_the_till(steps):
    """Says who has stopped on the way to a purchase."""
    async for step in steps:
        if recent.knows(step.id, step.rev):
            continue
        sign = 1 if step.op == "assert" else -1  # taken back: the step turned out not to be so
        standing[step.kind, step.from_] += sign
        if step.op == "assert" and step.kind == "stalled" and step.from_ == "buy":
            print(
                f"{step.profile} stalled in buy at {step.at} ({standing['stalled', 'buy']} stand)",
                file=sys.stderr,
            )
        recent.add(step.id, step.rev)


@app.agent(current)
async def whereabouts(people):
    """Knows where everybody of these partitions is. A value of None: forgotten."""
    where = {}
    async for key, person in people.items():
        if person is None:
            where.pop(key, None)
        else:
            where[key] = person.moment
