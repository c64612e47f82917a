"""Kafka Streams joins the outputs with a table under the same ids. `make check-more` runs it."""
