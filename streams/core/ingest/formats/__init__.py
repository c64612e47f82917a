"""One file per source format: each reads a record of that source."""
