"""What a log holds, in figures: read from the topics that everyone can read, and from the checkpoints' counts.

Reports give values; `streams.cli` shows them. They read any `streams.log.port.Reader`, beside a running writer or without one.
"""
