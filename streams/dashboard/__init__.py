"""The live page and its API: a process of its own that reads topics only."""
