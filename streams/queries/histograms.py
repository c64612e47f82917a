"""Lengths of time, as counters hold them: how many are in each bucket."""

from collections import Counter

Bucket = tuple[float, float]
"""A range of lengths in seconds: from the first, and below the second."""


def quantile_s(histogram: Counter[Bucket], share: float) -> float:
    """The seconds that a share (0 to 1) of the lengths do not exceed. There must be at least one.

    It is the middle of a bucket, so it is right to 6 %.
    """
    left = share * histogram.total()
    for bucket in sorted(histogram):
        left -= histogram[bucket]
        if left <= 0:
            break
    return (bucket[0] + bucket[1]) / 2
