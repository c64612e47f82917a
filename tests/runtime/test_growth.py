import pytest

from streams.errors import Incompatible
from streams.runtime.growth import compare

STARTED = {"clicks": 4, "app.state": 4}


@pytest.mark.parametrize("found", [STARTED, STARTED | {"other": 9}, {"clicks": 4}, {}])
def test_equal_counts_and_missing_topics_are_no_change(found: dict[str, int]) -> None:
    """A broker that has just come back may know fewer topics, and other topics do not matter."""
    compare(STARTED, found)


@pytest.mark.parametrize("grown", ["clicks", "app.state"])
def test_the_error_names_the_topic_that_has_grown_and_what_to_do(grown: str) -> None:
    """It may be an input, or a topic of the app."""
    with pytest.raises(Incompatible, match=rf"{grown} has 6 and had 4.*new app id.*replay"):
        compare(STARTED, STARTED | {grown: 6})
