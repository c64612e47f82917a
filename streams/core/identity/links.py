"""Links: who was signed in on a device, and when; and so who had it at any time. Pure rules, no state.

Of one user the first link of each quarter of an hour counts, so a set of links is the same whatever came
first, and a link that comes twice changes nothing.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import zip_longest
from operator import attrgetter

import msgspec

LINK_QUARTER_MS = 15 * 60_000
# Of one device. Each may be asked for at each event, and all lie in one state record.
MAX_LINKS = 256

_AT = attrgetter("at_ms")


class Spans(msgspec.Struct, frozen=True):
    """How far a link reaches: the settings of identity. Defaults: docs/journeys.md."""

    forward_ms: int = 2_592_000_000
    back_ms: int = 604_800_000
    shared_above: int = 5  # users

    @property
    def shared_ms(self) -> int:
        """So far before a link its device's users are counted."""
        return self.back_ms + self.forward_ms


class Link(msgspec.Struct, frozen=True, gc=False, array_like=True, order=True):
    """A user was on a device. Links sort by time, then by user."""

    at_ms: int
    user: str  # the key of the profile
    event: bytes  # ref of the event that says so


Links = Sequence[Link]
"""The links of a device that count, sorted."""


def with_link(links: Links, new: Link) -> tuple[list[Link], int] | None:
    """The links with one more, and the earliest time (ms) of a link that came or went. None: it says nothing.

    It replaces a later one of its user and quarter of an hour, and says nothing if there is an earlier one.
    """
    begin_ms = new.at_ms - new.at_ms % LINK_QUARTER_MS
    others = list(links)
    for n in range(bisect_left(others, begin_ms, key=_AT), len(others)):
        known = others[n]
        if known.at_ms >= begin_ms + LINK_QUARTER_MS:
            break
        if known.user == new.user:
            if (known.at_ms, known.event) <= (new.at_ms, new.event):
                return None
            del others[n]
            break
    others.insert(bisect_left(others, new), new)
    return others, new.at_ms


def deciding_link(links: Links, at_ms: int, spans: Spans) -> Link | None:
    """The link that decides who had the device at this time: the nearer of the last one at or before it and
    the first one after it, and the one before if both are as near. None: neither is near enough.
    """
    after = bisect_right(links, at_ms, key=_AT)
    following = links[after] if after < len(links) else None
    if following is not None and following.at_ms - at_ms > spans.back_ms:
        following = None
    if not after or at_ms - links[after - 1].at_ms > spans.forward_ms:
        return following
    last_ms = links[after - 1].at_ms
    if following is not None and following.at_ms - at_ms < at_ms - last_ms:
        return following
    return links[bisect_left(links, last_ms, key=_AT)]  # the smallest user of this time


def showing_link(links: Links, at_ms: int, spans: Spans) -> Link | None:
    """The link by which it is said whose a device is that has an event of this time; None: nothing is.

    It decides the event; or another one of its user and quarter of an hour would, whose place it took when it
    came later. So it makes no difference which of them came first.
    """
    after = bisect_right(links, at_ms, key=_AT)
    if after:
        before = links[after - 1]
        if at_ms - before.at_ms + before.at_ms % LINK_QUARTER_MS < LINK_QUARTER_MS + spans.forward_ms:
            return before
    return deciding_link(links, at_ms, spans)


def is_shared(links: Links, at_ms: int, spans: Spans) -> bool:
    """True if too many users were on the device by the time of a link, so that what is near is nobody's."""
    if len(links) <= spans.shared_above:
        return False
    return users_at(links, at_ms, spans) > spans.shared_above


def users_at(links: Links, at_ms: int, spans: Spans) -> int:
    """How many users the device had by the time of a link: it is shared by their number."""
    first = bisect_left(links, at_ms - spans.shared_ms, key=_AT)
    return len({link.user for link in links[first : bisect_right(links, at_ms, key=_AT)]})


def user_at(links: Links, at_ms: int, spans: Spans) -> str | None:
    """The profile of the user who had the device at this time; None: what was done then is the device's."""
    link = deciding_link(links, at_ms, spans)
    return None if link is None or is_shared(links, link.at_ms, spans) else link.user


def newest_link(links: Links) -> Link:
    """The newest link; of several of one time that of the smallest user."""
    return links[bisect_left(links, links[-1].at_ms, key=_AT)]


def moved_from_ms(links: Links, changed_ms: int, spans: Spans) -> int:
    """The time (ms) of the earliest event whose user may be another one since a link of the time `changed_ms`
    came. `links`: with it.

    What is older than the link before is decided by that one or by an older one, as before, unless the new
    user makes the device shared.
    """
    earliest_ms = changed_ms - spans.back_ms
    before = bisect_left(links, changed_ms, key=_AT)
    if not before or len({link.user for link in links}) > spans.shared_above:
        return earliest_ms
    return max(earliest_ms, links[before - 1].at_ms)


def without_old(links: Links, oldest_ms: int) -> list[Link]:
    """The links that are not older than this."""
    return list(links[bisect_left(links, oldest_ms, key=_AT) :])


def thinned(links: Links, closed_ms: int, spans: Spans) -> list[Link]:
    """The links without those that decide nothing: of a run of one user those in its middle.

    What lies between two links of one user is that user's, unless they are too far apart for that, or the
    device is shared. `closed_ms`: no link comes any more that is older than this. So whoever is always signed
    in has a few links, and not one for each quarter of an hour.
    """
    kept: list[Link] = []
    users: set[str] = set()  # of the links up to the time of the one that follows
    seen = 0
    for link, following in zip_longest(links, links[1:]):
        while following is not None and seen < len(links) and links[seen].at_ms <= following.at_ms:
            users.add(links[seen].user)
            seen += 1
        if (
            kept
            and following is not None
            and kept[-1].user == link.user == following.user
            # (Of several links of one time that of the smallest user decides.)
            and not (len(kept) > 1 and kept[-2].at_ms == kept[-1].at_ms)
            and following.at_ms < closed_ms
            and following.at_ms - kept[-1].at_ms <= spans.forward_ms
            and len(users) <= spans.shared_above
        ):
            continue
        kept.append(link)
    return kept


def has_several_users(links: Links) -> bool:
    """True if not all links are one user's."""
    return any(link.user != links[0].user for link in links)


def keep_links_ms(change_ms: int, spans: Spans, *, several_users: bool) -> int:
    """For how long (ms) behind the settled mark a link can decide something. `change_ms`: for how long events
    can still move. A link decides forward of it, and shows its device forward of its quarter of an hour.

    `several_users`: of the device. Then a link also counts its user for a later one, which decides that much
    later again. One user counts for one however old their links are; and for another user's link, which is
    still to come and will be in time, so old a link does not count.
    """
    forward_ms = spans.forward_ms + LINK_QUARTER_MS
    return change_ms + forward_ms + (spans.shared_ms if several_users else 0)
