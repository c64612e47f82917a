"""How the source is written, as rules that a machine can check.

A style guide that nothing enforces is forgotten in the first busy week. These rules read the text of
`streams/` and `schemas/`; tests/test_tidy.py runs them in `make test`, and `python -m tests.tidy` prints what
they find.
"""
