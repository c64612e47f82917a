"""How quick a worker is on Apache Kafka, and what else is: `make bench-kafka`.

What the figures mean: docs/benchmarks.md.
"""
