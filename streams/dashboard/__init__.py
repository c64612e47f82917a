"""The live page and its API: a process of its own, which reads topics and writes nothing."""
