"""Two agents of your own. They run in the workers, beside the partition agents that compute the journeys:

    streams run --kafka localhost:9092 --app shop --input clicks --agents examples/my_agents.py

Every record comes at least once: after a restart, or when a worker joins, some come again. (id, rev)
identifies a record. If an agent raises, it is started again with the same record, up to three times; then the
worker ends. So catch the errors that you can live without.
"""

import sys
from collections import Counter

from streams.host import Recent, app, current, transitions

recent = Recent()
# (kind, moment left) -> steps that hold, without retracted ones.
net: Counter[tuple[str, str | None]] = Counter()


@app.agent(transitions)
async def stalled_in_buy(steps):
    """Prints who stalled on the way to a purchase, and how many such steps hold."""
    async for step in steps:
        if recent.knows(step.id, step.rev):
            continue
        net[step.kind, step.from_] += 1 if step.op == "assert" else -1  # a late event can retract a step
        if step.op == "assert" and step.kind == "stalled" and step.from_ == "buy":
            holding = net["stalled", "buy"]
            print(f"{step.profile} stalled in buy at {step.at} ({holding} in all)", file=sys.stderr)
        recent.add(step.id, step.rev)


@app.agent(current)
async def whereabouts(people):
    """Knows where everybody in this worker's partitions is."""
    moments = {}
    async for key, person in people.items():  # the key names the person and the need
        if person is None:  # forgotten
            moments.pop(key, None)
        else:
            moments[key] = person.moment
