"""A quarter of a shop whose visitors sign in now and then, read as fast as it goes by eight partitions, and
counted by the oracle: `python -m tests.quarter`.
"""
