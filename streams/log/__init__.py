"""The log that agents read and commit to: one port, three adapters."""
