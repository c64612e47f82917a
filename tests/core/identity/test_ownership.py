"""Whose a device is over months, beside the oracle: links are thinned and dropped, and it does not show."""

import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.core.identity.device import LINKS_PART, load_device
from streams.core.identity.devices import Devices
from streams.core.identity.links import Link, Spans, keep_links_ms
from streams.core.identity.ownership import DeviceOwner
from streams.core.journeys.finality import FinalityDelay
from streams.core.journeys.population import Population
from streams.core.journeys.signal import Signal, event_ref, event_text, head_of
from streams.core.journeys.state import Patience
from tests import identity_oracle, oracle
from tests.core.identity.test_devices import DAY, HOUR, MINUTE, PHONE, START, reach

EXAMPLES = int(os.environ.get("EXAMPLES", "400")) // 4
SPANS = Spans(30 * DAY, 7 * DAY, 2)
OF = identity_oracle.Settings(SPANS.forward_ms, SPANS.back_ms, SPANS.shared_above)
USERS = (*["ann"] * 12, "ben", "cid", "dan")
PAUSES = (0, 5 * MINUTE, HOUR, DAY, 20 * DAY, 20 * DAY, 36 * DAY, 38 * DAY)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(PAUSES), st.sampled_from([None, *USERS])),
        min_size=1,
        max_size=60,
    )
)
def test_the_owner_is_the_oracles(history: list[tuple[int, str | None]]) -> None:
    """What was published last is what the oracle says, after each event; a restart changes nothing."""
    population = Population(Patience(), FinalityDelay(2 * DAY, SPANS.back_ms))
    devices = Devices(population, SPANS)
    least_ms = keep_links_ms(population.finality.change_ms, SPANS, several_users=False)
    events: list[identity_oracle.Event] = []
    published: DeviceOwner | None = None
    at, newest = START, 0
    for n, (pause, user) in enumerate(history):
        at += pause
        name, mark = f"e{n}", None
        if user is None:
            mark = oracle.Signal(at, name, oracle.KNOW, True, 0, 0, 0, ("",), None)
            devices.take_event(PHONE, Signal(head_of(at, 0, True, 0), event_ref(name), 0, 0))
        else:
            if devices.get(PHONE) is None:  # it was forgotten, and is begun anew
                assert published is None
                assert not newest or at - newest > SPANS.shared_ms
                events = [e for e in events if e.user is None]
            newest = at
            devices.take_link(PHONE, Link(at, f"u:{user}", event_ref(name)))
        events.append(identity_oracle.Event(at, name, user, "phone", mark))
        reach(devices, at)
        for _, owner in devices.ownership.take(devices.get):
            assert owner != published
            published = owner
        for part in devices.commit():
            if part.name == LINKS_PART and part.value is not None:
                held = devices.get(PHONE)
                stored = load_device(PHONE, {LINKS_PART: part.value})
                assert held is not None
                assert (held.links, held.began, held.shown_as) == (
                    stored.links,
                    stored.began,
                    stored.shown_as,
                )
        expected = identity_oracle.whose(events, "", "phone", OF)
        if expected is None or (published is None and newest < at - least_ms):
            assert published is None
            continue
        assert published is not None
        begin = published.since
        assert expected == identity_oracle.Whose(
            None if published.user is None else published.user[2:],
            None if begin is None else begin.at_ms,
            None if begin is None else event_text(begin.event),
            published.users,
        )
