"""Worst days in virtual time: partitions and workers over the memory log,
everything drawn from one seed. docs/testing.md.

world     what a seed makes of settings, people and how often things go wrong
script    the day itself, as a list of operations that each stand alone (so that any of them can be left out)
cluster   lets the real agents live through a script, one effect at a time
account   what the stored input says, read independently
laws      what must be true of the output, by the oracle
run       one seed from beginning to end;   shrink: the shortest script that breaks the same law
"""
