"""Tells which events are counted apart and say nothing: those of people who refused, and those of robots.

It is asked where a record is read, since it depends on the event and the door alone. So whoever reads a
stored record again by its door comes to the same judgement.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any

import msgspec

from streams.core.ingest.consent import MEASURING, Consent
from streams.core.ingest.event import Apart, Event, Rejection
from streams.core.ingest.robots import BROWSER, LIBRARY, ROBOT, robots_by

# Channels on which people browse, or nobody says otherwise: there the client of a program is a robot. Servers
# and apps send with such clients what people do.
_BROWSED = (None, "", "web", "browser")


class ApartRules(msgspec.Struct, frozen=True, array_like=True):
    """What decides whose events are counted apart."""

    robots: str = ""  # the version of the list of robots; "": robots count as people do
    robot_texts: tuple[str, ...] = ()  # texts in a user agent that show a robot, beside the list
    no_robot_texts: tuple[str, ...] = ()  # texts that show none, whatever the list says
    consent_fields: tuple[str, ...] = ()  # paths where an event has a consent, beside those of the tools
    consent_categories: tuple[str, ...] = MEASURING  # the categories that have to be agreed to


class Unsettled(Enum):
    """In place of a judgement."""

    UNSETTLED = 0


UNSETTLED = Unsettled.UNSETTLED
ContextJudgement = Apart | Unsettled | None
"""Why the events with a context are counted apart, if they are."""


class ApartJudge:
    """Judges the events of one input.

    Nearly always the context decides, and the events of a visit repeat it. So whoever remembers contexts can
    remember what `of_context` says of each, as long as it asks the same judge.
    """

    def __init__(self, rules: ApartRules) -> None:
        self._consent = Consent(rules.consent_categories, rules.consent_fields)
        self._has_fields = bool(rules.consent_fields)
        self._robots = robots_by(rules.robot_texts, rules.no_robot_texts) if rules.robots else None

    def judge(self, event: Event) -> Apart | None:
        """Why the event is counted apart; None if it is not."""
        found = self.of_context(event.context)
        return self.settle(event) if found is UNSETTLED else found

    def of_context(self, context: Mapping[str, Any]) -> ContextJudgement:
        """Why all events with this context are counted apart; None: none is. UNSETTLED: it depends on the
        rest of the event.
        """
        if self._has_fields:
            return UNSETTLED
        shown = self._shown_by(context)
        if self._consent.is_refused_by(context):
            return Apart.REFUSED
        return UNSETTLED if shown == LIBRARY else Apart.ROBOT if shown == ROBOT else None

    def settle(self, event: Event) -> Apart | None:
        """As `judge`, after a look at the whole event."""
        if self._consent.is_refused(event):
            return Apart.REFUSED
        shown = self._shown_by(event.context)
        is_robot = shown == ROBOT or (shown == LIBRARY and _is_browsed(event.channel))
        return Apart.ROBOT if is_robot else None

    def _shown_by(self, context: Mapping[str, Any]) -> int:
        if self._robots is None:
            return BROWSER
        if context.get("robot") is True:
            return ROBOT
        agent = context.get("userAgent")
        return BROWSER if agent is None else self._robots.shown_by(agent)

    def rejected(self, rejection: Rejection, source: Any) -> Rejection:
        """The rejection, marked where what was rejected says that its person refuses.

        `source`: its bytes, its document, or the draft that was made of it.
        """
        if rejection.is_refused or not self._consent.is_refused_in(source):
            return rejection
        return msgspec.structs.replace(rejection, is_refused=True)


def _is_browsed(channel: str | None) -> bool:
    return channel in _BROWSED or (channel is not None and channel.lower() in _BROWSED)
