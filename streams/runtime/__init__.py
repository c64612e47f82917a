"""Runs partitions: a worker shares an app on Kafka with others; embedded, one process runs them all."""
