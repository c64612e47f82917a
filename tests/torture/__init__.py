"""Real processes on real brokers, hit until it hurts, and exact to the last one all the
same: `make torture SEED=n`. docs/testing.md.

shop       what collectors send: a shop's customers, drawn from the seed, out of order, twice, late and broken
sharing    who shares a device, and when who signs in there: of runs with identity on
plan       one run, drawn from its seed: how many workers, which hits and when, how fast events come
fleet      the workers, as processes of their own, and what is done to them
ground     brokers and topics; loader: puts the events there while the hits happen
evidence   reads what is committed, and what the stored input says by the oracle
people     everybody's events, and whose they are; receipts: what becomes of redriven ones; linking: what
           partitions said to each other of links and moves
in_memory  one run without any of that, over a log in memory
run        one run from beginning to end
bugs       bugs that a worker of this kind may have; `worker`: the command with one of them planted
"""
