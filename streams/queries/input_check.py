"""What a replay of some files would read, repair and refuse, without writing anything."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from streams.core.ingest.event import EVENT_TYPES, Apart, Event, Items, Reason, Rejection, lookup, reject
from streams.core.ingest.formats import FORMATS
from streams.core.ingest.formats.detection import detect
from streams.core.ingest.json_text import Decoded
from streams.core.ingest.reading import ReadOutcome, RecordReader
from streams.core.ingest.record_bytes import read_bytes
from streams.core.ingest.times import LATEST_MS
from streams.core.ingest.wrappings import unwrap
from streams.core.moments.classifier import Classifier
from streams.core.moments.rules import Rules
from streams.core.moments.spec import NAMED_TYPES
from streams.core.moments.verdict import INTENTS, TRUTH
from streams.core.processing.dead_letters import REFUSED_DETAIL
from streams.core.processing.json_text import rfc3339
from streams.core.processing.owners import profile_reader
from streams.core.processing.subject import first_text, text
from streams.queries.distinct import DistinctCounter
from streams.records import Headers
from streams.sources.finite_input import NO_TIME_MS, REFUSED_ROWS, FileRow, Survey

SAMPLES = 3  # of the items that are refused for one reason
SAMPLE_CHARS = 200  # of each: enough to recognise it
MAX_NAMES = (
    10_000  # that no rule reads; a file with more has ids in its names, and the others count as OTHERS
)
OTHERS = "(other names)"
WARNED_SHARE = 0.5  # of items that are refused: then the file is hardly what it is read as


class RefusedItems(msgspec.Struct):
    """The items that are refused for one reason."""

    reason: str
    items: int = 0
    samples: list[dict[str, str]] = []  # `detail` and `value`


class Unread(msgspec.Struct):
    """A name that no rule reads."""

    type: str
    name: str
    events: int


class InputReport(msgspec.Struct):
    """What `streams replay --check --json` prints. Times are in UTC, None where there is no event."""

    files: list[str]
    rows: int
    items: int  # rows hold one or several
    events: int  # items that are read as events and count
    formats: dict[str, int]  # items by the format that they are read as
    repaired: dict[str, int]  # events by kind of repair
    refused_items: int
    refused: list[RefusedItems]
    empty: int  # items that hold no event
    without_consent: int  # events of people who refused consent: counted here and nowhere else
    robots: int  # events of robots: the same
    moments: dict[str, int]  # events by what the rules see in them; none: nothing
    unread: list[Unread]  # names that no rule reads, the most frequent first
    first: str | None  # event time
    last: str | None
    disorder_s: float  # how much older than the newest event before it a row is, at most
    sorted: bool  # whether a replay would sort the rows
    people: int
    people_exact: bool
    with_user: float  # share of events
    with_device: float
    purchases: int
    with_order: float  # share of purchases
    guess: str | None  # the format that refused rows look like
    warnings: list[str]


class InputCheck:
    """Reads rows as a replay does, and counts what becomes of them."""

    def __init__(
        self, reader: RecordReader, rules: Rules, tenant: str | None, orders: Sequence[str], limit_ms: int
    ) -> None:
        """`limit_ms`: an event that is dated later is refused."""
        self._reader, self._limit_ms = reader, limit_ms
        self._classifier = Classifier(rules)
        self._profile_of, self._order_of = profile_reader(tenant), first_text(tuple(orders))
        self._items = self._events = self._empty = self._users = self._devices = 0
        self._purchases = self._with_order = 0
        self._apart = Counter[Apart]()
        self._formats, self._repaired, self._moments = Counter[str](), Counter[str](), Counter[str]()
        self._refused: dict[Reason, RefusedItems] = {}
        self._refused_rows: list[FileRow] = []
        self._names = Counter[tuple[str, str]]()
        self._people = DistinctCounter()

    def read(self, value: bytes, headers: Headers) -> ReadOutcome:
        """Reads a row, whatever its time: a `ReadRow`."""
        outcome, formats = self._reader.look(value, headers, -1, LATEST_MS)
        if isinstance(outcome, Items) and outcome.items:
            for item, format in zip(outcome.items, formats, strict=True):
                self._note(item.value, item.outcome, format)
        else:
            self._note(value, outcome, formats[0])
        if isinstance(outcome, Rejection) and len(self._refused_rows) < REFUSED_ROWS:
            self._refused_rows.append((value, headers))
        return outcome

    def _note(self, value: bytes, outcome: ReadOutcome, format: str) -> None:
        self._items += 1
        if format:
            self._formats[format] += 1
        if isinstance(outcome, Event) and outcome.at_ms > self._limit_ms:
            is_refused = outcome.apart is Apart.REFUSED
            outcome = reject(Reason.FROM_THE_FUTURE, "later than now allows", is_refused=is_refused)
        if isinstance(outcome, Event):
            self._note_event(outcome)
        elif isinstance(outcome, Rejection):
            refused = self._refused.setdefault(outcome.reason, RefusedItems(outcome.reason.value))
            refused.items += 1
            if len(refused.samples) < SAMPLES:
                shown = value[: SAMPLE_CHARS * 4].decode("utf-8", "replace")[:SAMPLE_CHARS]
                sample = {"detail": outcome.detail, "value": shown}
                refused.samples.append(
                    {"detail": REFUSED_DETAIL, "value": ""} if outcome.is_refused else sample
                )
        else:
            self._empty += 1

    def _note_event(self, event: Event) -> None:
        if event.apart is not None:
            self._apart[event.apart] += 1
            return
        self._events += 1
        self._users += event.user_id is not None
        self._devices += event.anonymous_id is not None
        self._people.add(self._profile_of(event))
        for repair in event.repairs:
            self._repaired[repair.value] += 1
        verdict = self._classifier.classify(event)
        self._moments["none" if verdict is None else INTENTS[verdict.intent]] += 1
        if verdict is None:
            name = _name_of(event)
            # Names of calls that say who somebody is are not there for rules.
            is_for_rules = name[1] and event.type in NAMED_TYPES
            if is_for_rules and not self._classifier.is_read(event):
                is_kept = name in self._names or len(self._names) < MAX_NAMES
                self._names[name if is_kept else ("", OTHERS)] += 1
        elif verdict.intent == TRUTH:
            self._purchases += 1
            self._with_order += bool(self._order_of(event))

    def report(self, survey: Survey, allowed_lateness_ms: int) -> InputReport:
        """The report, after the rows were looked at."""
        refused = sorted(self._refused.values(), key=lambda found: -found.items)
        refused_items = sum(found.items for found in refused)
        guess = guess_format(self._reader, self._refused_rows)
        warnings = []
        if refused_items > WARNED_SHARE * self._items:
            warnings.append(
                f"{refused_items:,} of {self._items:,} events are refused ({refused_items / self._items:.0%})"
                + (f"; {guess_text(guess)}" if guess else "")
            )
        return InputReport(
            files=[str(path) for path in survey.files],
            rows=survey.rows,
            items=self._items,
            events=self._events,
            formats=dict(self._formats.most_common()),
            repaired=dict(self._repaired.most_common()),
            refused_items=refused_items,
            refused=refused,
            empty=self._empty,
            without_consent=self._apart[Apart.REFUSED],
            robots=self._apart[Apart.ROBOT],
            moments={name: self._moments[name] for name in (*INTENTS, "none") if self._moments[name]},
            unread=[Unread(type, name, count) for (type, name), count in self._names.most_common()],
            first=_time(survey.start_ms),
            last=_time(survey.latest_ms),
            disorder_s=survey.disorder_ms / 1000,
            sorted=not survey.is_in_order(allowed_lateness_ms),
            people=self._people.count,
            people_exact=self._people.is_exact,
            with_user=_share(self._users, self._events),
            with_device=_share(self._devices, self._events),
            purchases=self._purchases,
            with_order=_share(self._with_order, self._purchases),
            guess=guess,
            warnings=warnings,
        )


def guess_format(reader: RecordReader, refused: Sequence[FileRow]) -> str | None:
    """The format that most of these rows look like and are not read as; None if there is none."""
    guesses = Counter[str]()
    for value, headers in refused:
        name = _looks_like(value, headers)
        if name is not None and name not in reader.look(value, headers, -1, LATEST_MS)[1]:
            guesses[name] += 1
    return next((name for name, _ in guesses.most_common(1)), None)


def _looks_like(value: bytes, headers: Headers) -> str | None:
    """The format that a row looks like, whatever it is said to have; None if it is of none that is known."""
    decoded = read_bytes(value)
    inner = unwrap(decoded.document, headers) if isinstance(decoded, Decoded) else decoded
    if isinstance(inner, Rejection):
        return None
    document = inner.document
    return detect(document[0] if isinstance(document, list) and document else document, headers)


def nothing_read(name: str, guess: str | None) -> str:
    """Why files are refused of which nothing can be read, and what would be right."""
    text = f"{name!r} is not what it was read as (--format): none of its events could be read"
    return f"{text}; {guess_text(guess)}" if guess else text


def guess_text(name: str) -> str:
    """A guess, for a person."""
    return f"these look like records of {FORMATS[name].title}: --format {name}"


def _name_of(event: Event) -> tuple[str, str]:
    """The type of an event and its name, or the path of a page without one; "" where rules read no name."""
    if event.type not in EVENT_TYPES:
        return event.type, ""
    return event.type, event.name or text(lookup(event, "context.page.path"))


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0


def _time(at_ms: int) -> str | None:
    return None if at_ms == NO_TIME_MS else rfc3339(at_ms)
