"""The pure core: bytes of one partition in, one batch of effects out. No I/O, clock, randomness, logging or
waiting.
"""
