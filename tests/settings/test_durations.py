"""Durations are read as people write them, and written so that they read back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.settings.durations import MAX_DURATION_MS, duration_text, parse_duration


@pytest.mark.parametrize(
    ("written", "ms"),
    [
        ("90s", 90_000),
        ("30m", 1_800_000),
        (" 4 h ", 14_400_000),
        ("3d", 259_200_000),
        ("250ms", 250),
        ("1.5h", 5_400_000),
        ("90", 90_000),
        (90, 90_000),
        (0.25, 250),
        (0, 0),
        ("3650d", MAX_DURATION_MS),
    ],
)
def test_reads(written: object, ms: int) -> None:
    """A number counts in its unit; one without a unit counts in seconds."""
    assert ms == parse_duration(written)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "h",
        "3 weeks",
        "-3s",
        "3dd",
        "1h30m",
        "3651d",
        "0.1ms",
        "٣d",
        True,
        None,
        [3],
        float("nan"),
        float("inf"),
        -1,
    ],
)
def test_refuses(written: object) -> None:
    """A text that is no duration, or one of more than ten years, is a ValueError."""
    with pytest.raises(ValueError, match="is "):
        parse_duration(written)


@given(st.integers(min_value=0, max_value=MAX_DURATION_MS))
def test_text_is_exact(ms: int) -> None:
    """The text of any duration reads back as the same duration."""
    assert ms == parse_duration(duration_text(ms))


@pytest.mark.parametrize(
    ("ms", "text"),
    [(0, "0s"), (1, "1ms"), (90_000, "90s"), (14_400_000, "4h"), (172_800_000, "48h"), (259_200_000, "3d")],
)
def test_text(ms: int, text: str) -> None:
    """The text is in the largest unit that fits, in days from three on."""
    assert text == duration_text(ms)
