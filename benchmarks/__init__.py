"""How quick it is, and how small: `make bench`. What the figures mean: docs/benchmarks.md."""
