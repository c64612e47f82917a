"""Writes what consumers read, as JSON; `tally_text` writes the counters.

The types are in `schemas`, and tests compare this text with them. A transition consists mostly of a few
hundred fixed pieces of text: joining them takes half the time of encoding a Struct. Rarer records are encoded
from their types.
"""

from hashlib import blake2b
from typing import Any, Literal

from schemas import Identity, JourneyRecord, RefundRecord
from schemas.journey import JourneyCue, Step
from streams.core.funnels.currencies import CURRENCIES
from streams.core.funnels.dimensions import Dimensions
from streams.core.identity.ownership import DeviceOwner
from streams.core.journeys.journey_step import (
    ADVANCED,
    CONVERTED,
    KIND_CODES,
    KIND_NAMES,
    REFUNDED,
    JourneyStep,
)
from streams.core.journeys.origins import find_origin, sent_id
from streams.core.journeys.profile import Profile
from streams.core.journeys.signal import event_text
from streams.core.journeys.state import State
from streams.core.journeys.summary import Final, FinalRefund, JourneySummary
from streams.core.moments.verdict import CUE_NAMES, INTENTS
from streams.core.processing.json_text import encode_json, event_json, quoted, rfc3339, seconds_text
from streams.core.processing.record_keys import SEPARATOR, split_profile_key
from streams.core.processing.rulebook import Rulebook

MOMENT_LABELS: tuple[Any, ...] = (*INTENTS[:5], None)  # index -1: none
CUE_LABELS: tuple[Any, ...] = (None, *CUE_NAMES)  # by the number of the cue

_MOMENTS = (0, 1, 2, 3, 4, -1)


def _move(kind: int, from_moment: int, to_moment: int) -> str:
    skips = kind in (ADVANCED, CONVERTED) and from_moment >= 0
    fields = {
        "kind": KIND_NAMES[kind],
        "from": MOMENT_LABELS[from_moment],
        "to": MOMENT_LABELS[to_moment],
        "skipped": INTENTS[from_moment + 1 : to_moment] if skips else (),
    }
    return encode_json(fields)[1:-1].decode()


def _progress(before: int, now: int, first_entry: str) -> str:
    """The end of a transition."""
    return (
        f'"furthest_before":{quoted(MOMENT_LABELS[before])},"furthest":{quoted(MOMENT_LABELS[now])},'
        f'"first_entry":{first_entry}}}'
    )


# Pieces of text by their numbers; index -1 stands for no moment.
_MOVES = [[[_move(kind, a, b) for b in _MOMENTS] for a in _MOMENTS] for kind in range(KIND_CODES)]
_PROGRESS = [
    [[_progress(before, now, first) for first in ("false", "true")] for now in _MOMENTS]
    for before in _MOMENTS
]
_KIND_BYTES = [b"\0" + kind.encode() + b"\0" for kind in KIND_NAMES]
_NOWHERE = '"moment":null,"stalled":false'
_PLACES = [
    [f'"moment":"{name}","stalled":{stalled}' for stalled in ("false", "true")] for name in INTENTS[:5]
]
_OUTCOMES = [quoted(kind or None) for kind in KIND_NAMES]
_BY_SILENCE = '"event":null,"rule":null,"confidence":null,"rules":null'


def transition_id(key: str, need: str, kind: str, caused_by: bytes) -> str:
    """The id of a transition or a cue, as `Publisher.transition` writes it (there it is written out, for
    speed).
    """
    content = f"{key}\0{need}\0{kind}\0".encode() + caused_by
    return blake2b(content, digest_size=16).hexdigest()


def about_person(key: str) -> str:
    """The fields that all records about a profile begin with.

    This text is made anew each time: a kept one would be out of the processor's caches when it is needed.
    """
    tenant, separator, profile = key.partition(SEPARATOR)
    if separator:
        return f'"tenant":{quoted(tenant)},"profile":{quoted(profile)}'
    return f'"tenant":null,"profile":{quoted(key)}'


class Publisher:
    """Writes the records of one partition."""

    def __init__(self, partition: int, dimensions: Dimensions, rulebook: Rulebook) -> None:
        self.partition, self.dimensions, self.rulebook = partition, dimensions, rulebook
        self._dims: dict[int, str] = {}  # by code: as many as the vocabularies allow
        self._rules: list[str] = []
        self.rules_changed()

    def rules_changed(self) -> None:
        """Rebuilds the texts of the rules. Call it whenever the rulebook has grown."""
        self._rules = [
            f'"rule":{quoted(rule.name)},"confidence":{rule.confidence},"rules":{quoted(version.version)}'
            for version in self.rulebook.versions
            for rule in version.rules
        ]

    def dims_json(self, dims: int) -> str:
        """The dimensions that a code stands for, as JSON."""
        text = self._dims.get(dims)
        if text is None:
            text = self._dims[dims] = encode_json(self.dimensions.names(dims)).decode()
        return text

    def transition(
        self,
        p: Profile,
        op: Literal["assert", "retract"],
        rev: int,
        t: JourneyStep,
        moved_from: str | None = None,
    ) -> bytes:
        """One record of `<app>.transitions`. `moved_from`: the other profile, if an event has moved."""
        kind, caused_by, dims, opened_dims = t.kind, t.caused_by, t.dims, t.opened_dims
        key, need, at, origins = p.key, p.needs[t.need], rfc3339(t.at_ms), p.origins
        journey = event_json(t.journey if origins is None else sent_id(origins, t.journey))
        name = blake2b(f"{key}\0{need}".encode() + _KIND_BYTES[kind] + caused_by, digest_size=16).hexdigest()
        if t.rule < 0:
            reason = _BY_SILENCE
        else:
            event = journey
            if caused_by != t.journey:
                event = event_json(caused_by if origins is None else sent_id(origins, caused_by))
            reason = f'"event":{event},{self._rules[t.rule]}'
        names = self._dims.get(dims) or self.dims_json(dims)
        opened_names = names if opened_dims == dims else self.dims_json(opened_dims)
        opened_at = at if t.opened_ms == t.at_ms else rfc3339(t.opened_ms)
        # 30 pieces, in braces and between them: CPython would join more by way of a list, which is slower.
        text = (
            f'{{"id":"{name}","rev":{rev},"op":"{op}",{about_person(key)},'
            f'"need":{quoted(need) if need else "null"},"journey":{journey},'
            f'{_MOVES[kind][t.from_moment][t.to_moment]},"at":"{at}",'
            f'"utc_offset_min":{t.utc_offset_quarters * 15},'
            f'"dwell_s":{"null" if t.dwell_ms < 0 else seconds_text(t.dwell_ms)},'
            f'"opened_at":"{opened_at}",{reason},'
            f'"dimensions":{names},"opened_dimensions":{opened_names},'
            f"{_PROGRESS[t.furthest_before][t.furthest][t.first_entry]}"
        )
        if t.amount is not None:
            text = f'{text[:-1]},"value_minor":{t.amount},"currency":"{CURRENCIES[t.currency]}"}}'
        if t.stitched:
            text = f'{text[:-1]},"stitched":true}}'
        if origins is not None and t.rule >= 0 and (origin := find_origin(origins, caused_by)) is not None:
            text = f'{text[:-1]},"device":{quoted(origin.device)}}}'
        if moved_from is not None:
            text = f'{text[:-1]},"moved_from":{quoted(split_profile_key(moved_from)[1])}}}'
        return text.encode()

    def cue(
        self,
        p: Profile,
        op: Literal["assert", "retract"],
        rev: int,
        t: JourneyStep,
        moved_from: str | None = None,
    ) -> bytes:
        """One record of `<app>.cues`. `moved_from`: the other profile, if an event has moved."""
        need, origin = p.needs[t.need], find_origin(p.origins, t.caused_by)
        end = "" if origin is None else f',"device":{quoted(origin.device)}'
        if moved_from is not None:
            end += f',"moved_from":{quoted(split_profile_key(moved_from)[1])}'
        name = transition_id(p.key, need, KIND_NAMES[t.kind], t.caused_by)
        return (
            f'{{"id":"{name}","rev":{rev},"op":"{op}",{about_person(p.key)},'
            f'"need":{quoted(need) if need else "null"},'
            f'"journey":{event_json(sent_id(p.origins, t.journey))},'
            f'"moment":"{MOMENT_LABELS[t.from_moment]}","cue":"{CUE_LABELS[t.cue]}",'
            f'"at":"{rfc3339(t.at_ms)}",'
            f'"opened_at":"{rfc3339(t.opened_ms)}",'
            f'"event":{event_json(t.caused_by if origin is None else origin.ref)},'
            f'"dimensions":{self.dims_json(t.dims)}{end}}}'
        ).encode()

    def current(self, p: Profile, states: list[State], rev: int, user: str | None = None) -> bytes:
        """One record of `<app>.current` or `<app>.current_devices`: those that had a journey.

        `user`: the key of the profile whose device this is; None: a user, or nobody's device.
        """
        if len(states) > 1:
            states = sorted(states, key=lambda s: p.needs[s.need])
        needs = ",".join([self._need_now(p, s) for s in states if s.journey])
        person = "" if user is None else f',"person":{quoted(split_profile_key(user)[1])}'
        return f'{{{about_person(p.key)},"needs":[{needs}],"rev":{rev}{person}}}'.encode()

    def identity(self, key: str, owner: DeviceOwner, rev: int) -> bytes:
        """One record of `<app>.identities`. `key`: of the device's profile."""
        tenant, profile = split_profile_key(key)
        since, user = owner.since, owner.user
        return encode_json(
            Identity(
                tenant=tenant,
                device=profile[2:],
                person=None if user is None else split_profile_key(user)[1],
                since=None if since is None else rfc3339(since.at_ms),
                event=None if since is None else event_text(since.event),
                shared=user is None,
                users=owner.users,
                rev=rev,
            )
        )

    def _need_now(self, p: Profile, s: State) -> str:
        """Where the person stands about one need."""
        need, journey = p.needs[s.need], sent_id(p.origins, s.journey)
        where = _NOWHERE if s.moment < 0 else _PLACES[s.moment][s.stalled]
        opened_at = rfc3339(s.opened_ms)
        since = opened_at if s.entered_ms == s.opened_ms else rfc3339(s.entered_ms)
        opened_names = self._dims.get(s.opened_dims) or self.dims_json(s.opened_dims)
        return (
            f'{{"need":{quoted(need) if need else "null"},{where},"journey":{event_json(journey)},'
            f'"opened_at":"{opened_at}","opened_dimensions":{opened_names},'
            f'"since":"{since}","furthest":"{MOMENT_LABELS[s.furthest]}",'
            f'"outcome":{_OUTCOMES[s.outcome] if s.moment < 0 else "null"}}}'
        )

    def final(self, p: Profile, final: Final) -> bytes:
        """One record of `<app>.journeys`."""
        if isinstance(final, FinalRefund):
            return encode_json(self._refund(p, final))
        return encode_json(self._journey(p, final))

    def _refund(self, p: Profile, final: FinalRefund) -> RefundRecord:
        tenant, profile = split_profile_key(p.key)
        t = final.step
        return RefundRecord(
            tenant=tenant,
            profile=profile,
            need=p.needs[t.need] or None,
            journey=event_text(sent_id(p.origins, t.journey)),
            refunded_at=rfc3339(t.at_ms),
            event=event_text(sent_id(p.origins, t.caused_by)),
            kind="refunded" if t.kind == REFUNDED else "partially_refunded",
            value_minor=t.amount,
            currency=None if t.amount is None else CURRENCIES[t.currency],
        )

    def _journey(self, p: Profile, summary: JourneySummary) -> JourneyRecord:
        tenant, profile = split_profile_key(p.key)
        devices = dict.fromkeys(self.dimensions.names(dims)["device"] for dims in summary.dims)
        versions = dict.fromkeys(self.rulebook.version_of(rule) for rule in summary.rules)
        path = [
            Step(
                MOMENT_LABELS[stay.moment],
                rfc3339(stay.entered_ms),
                None if stay.dwell_ms < 0 else stay.dwell_ms / 1000,
            )
            for stay in summary.path
        ]
        dwell_s = {MOMENT_LABELS[moment]: ms / 1000 for moment, ms in enumerate(summary.dwell_ms) if ms >= 0}
        return JourneyRecord(
            tenant=tenant,
            profile=profile,
            need=p.needs[summary.need] or None,
            journey=event_text(sent_id(p.origins, summary.journey)),
            opened_at=rfc3339(summary.opened_ms),
            closed_at=rfc3339(summary.closed_ms),
            outcome="converted" if summary.outcome == CONVERTED else "abandoned",
            furthest=MOMENT_LABELS[summary.furthest],
            path=tuple(path),
            steps=summary.stays,
            dwell_s=dwell_s,
            stalls=summary.stalls,
            cues=tuple(
                [
                    JourneyCue(CUE_LABELS[seen.cue], MOMENT_LABELS[seen.moment], rfc3339(seen.at_ms))
                    for seen in summary.cues
                ]
            ),
            devices=tuple(devices),
            opened_dimensions=self.dimensions.names(summary.opened_dims),
            rules=tuple(versions),
            value_minor=summary.amount,
            currency=None if summary.amount is None else CURRENCIES[summary.currency],
            items=summary.items,
        )
