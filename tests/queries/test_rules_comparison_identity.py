"""With identity on, rules are compared on people as they are: with what their devices gave them."""

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.core.moments.rules import default_rules
from streams.queries.event_sets import BYTES_PER_EVENT
from tests.queries.signing_in import IDENTITY, guests, redriven, signed_in
from tests.queries.test_rules_comparison import OTHERS, compared, figures, processed

LAW = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), database=None)


@LAW
@given(st.integers(0, 2**32), st.sampled_from((2.0, 20.0)), st.sampled_from((1, 3)))
async def test_each_funnel_is_that_of_a_log_under_these_rules(
    seed: int, days: float, partitions: int
) -> None:
    """What both say of a log that was read by one of them is what two logs say that each has read alone."""
    values = guests(seed, 150, days)
    logs = [
        await processed(values, rules, partitions, seed, allowed_lateness="1000d", identity=IDENTITY)
        for rules in (default_rules(), OTHERS)
    ]
    alone = [await figures(log) for log in logs]
    for log in logs:
        found = await compared(log, default_rules(), OTHERS)
        assert alone == [msgspec.structs.asdict(side) for side in (found.one_funnel, found.other_funnel)]


@LAW
@given(st.integers(0, 2**32), st.sampled_from((4.0, 12.0)), st.sampled_from((1, 3)))
async def test_the_rules_in_force_give_the_funnel_that_was_published(
    seed: int, days: float, partitions: int
) -> None:
    """Whatever was late, and whatever was redriven since of devices and their users."""
    values = guests(seed, 120, days, held_up=(0, 0, -0.01, -0.5, -2))
    log = await signed_in(values, partitions, seed, allowed_lateness="6h")
    await redriven(log, seed, allowed_lateness="6h")
    found = await compared(log, default_rules(), default_rules())
    assert found.same
    published, computed = await figures(log), msgspec.structs.asdict(found.one_funnel)
    assert published.pop("profiles") >= computed.pop("profiles")
    assert published == computed


async def test_the_number_of_slices_changes_nothing() -> None:
    """A device of one slice gives to users of another one."""
    values = guests(5, 300, 9.0, users=40, devices=30)
    log = await processed(values, default_rules(), 2, identity=IDENTITY)
    whole = await compared(log, default_rules(), OTHERS)
    for slices in (3, 11):
        found = await compared(log, default_rules(), OTHERS, memory_bytes=2 * 300 * BYTES_PER_EVENT // slices)
        assert found.slices >= slices
        assert whole == msgspec.structs.replace(found, slices=whole.slices)


async def test_what_a_guest_did_counts_as_the_users() -> None:
    """A guest who signs in at the till is one person, who converts: with identity off they are two."""
    values = guests(6, 200, 3.0)
    both = [
        await compared(
            await processed(values, default_rules(), identity=of), default_rules(), default_rules()
        )
        for of in (IDENTITY, {"on": False})
    ]
    assert all(found.same for found in both)
    on, off = [found.one_funnel for found in both]
    assert on.profiles < off.profiles
