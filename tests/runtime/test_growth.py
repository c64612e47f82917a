import pytest

from streams.errors import Incompatible
from streams.runtime.growth import compare

STARTED = {"clicks": 4, "app.state": 4}


@pytest.mark.parametrize("found", [STARTED, STARTED | {"other": 9}, {"clicks": 4}, {}])
def test_what_is_as_it_was_or_not_to_be_seen_is_no_change(found: dict[str, int]) -> None:
    """A broker that has just come back may know fewer topics; other topics are no business of ours."""
    compare(STARTED, found)


@pytest.mark.parametrize("grown", ["clicks", "app.state"])
def test_a_topic_that_has_grown_is_named_and_what_to_do(grown: str) -> None:
    """The input's or one of the app's own."""
    with pytest.raises(Incompatible, match=rf"{grown} has 6 and had 4.*new app id.*replay"):
        compare(STARTED, STARTED | {grown: 6})
