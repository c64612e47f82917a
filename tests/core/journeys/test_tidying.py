"""A restart before it is known how far time has come: partitions that are handed events fold
them before they have heard from the others.
"""

from tests.core.journeys.people import DAY, HOUR, KNOW, TRUTH, People


def take(people: People, at: int, event: str, mark: int) -> None:
    """A signal that does not move the horizon mark."""
    held = people.population.watermark_ms
    people.put(at, event, mark)
    people.population.watermark_ms = held


def test_a_restart_without_a_horizon_mark_forgets_no_final_record() -> None:
    """Journeys closed before it are final in time, however late a journey is that closes after it."""
    people = People()
    take(people, 0, "look", KNOW)
    take(people, HOUR, "order", TRUTH)
    people.commit()
    people.restart()
    take(people, 20 * DAY, "look again", KNOW)
    take(people, 20 * DAY + HOUR, "order again", TRUTH)
    people.tick(20 * DAY)
    assert [("u:1", "look", "converted", HOUR)] == people.closed()
