"""A finite input: files, and directories of files, that are read once and as one.

It is looked at before it is read. That tells its name, which depends on the set of its rows alone, how far
time goes in it, and whether its rows are in order of time. So a replay that was killed goes on where it was,
in whatever order the files are given, and rows out of order are sorted (docs/input.md).
"""

from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from streams.core.ingest.event import Event, Items, Rejection, events_in
from streams.core.ingest.reading import ReadOutcome
from streams.core.processing.end_of_input import EndOfInput
from streams.errors import InputError
from streams.records import Headers
from streams.sources.files import Lines
from streams.sources.follow import files_of
from streams.sources.input_file import InputFile, InputFormat
from streams.sources.sorting import TimedRow, timed_row

HASH_BYTES = 16  # of a row: two of a billion rows have the same hash with a chance of 1e-21
_LENGTH_BYTES = 4
UPDATED_ROWS = 1_000  # rows between two reports of progress: some milliseconds
NO_TIME_MS = -1  # of a row without an event: such rows come first

REFUSED_ROWS = 10  # that are kept, to guess what they are; a row may have 1 MiB

FileRow = tuple[bytes, Headers]

ReadRow = Callable[[bytes, Headers], ReadOutcome]
"""Reads a row as the door does, whatever the time of its arrival."""

OnRows = Callable[[int, int, int], None]
"""Called now and then with the rows that are done, the bytes of files that are read, and all bytes."""


class Survey(msgspec.Struct, frozen=True):
    """What a look at a whole input finds."""

    name: str  # depends on the set of rows, and on how they are read
    ordered_name: str  # depends on their order, too
    files: tuple[Path, ...]  # in order of time, whatever the order in which they are given
    rows: int
    stored_bytes: int  # that sorting stores
    start_ms: int  # the oldest event; NO_TIME_MS: there is no event
    latest_ms: int  # the newest event
    end_ms: int  # how far time goes: docs/journeys.md (Time)
    items: int  # rows hold one or several
    refused: int  # items
    refused_rows: tuple[FileRow, ...]  # the first that hold nothing else
    disorder_ms: int  # how much older than the newest event before it a row may be

    def is_in_order(self, allowed_lateness_ms: int) -> bool:
        """True if no event can be late, by far: a little disorder costs less than sorting all rows."""
        return self.disorder_ms == 0 or self.disorder_ms * 2 < allowed_lateness_ms


class FiniteInput:
    """Files that are read as one. They are opened before a data directory is touched: they may be wrong."""

    def __init__(self, paths: Sequence[Path], format: InputFormat) -> None:
        """Raises InputError if there is no file, or if one cannot be read or lacks a mapped column."""
        self._format = format
        self.files = list({path.resolve(): path for path in files_of(list(paths))}.values())
        if not self.files:
            raise InputError(f"there is no file in {', '.join(repr(str(path)) for path in paths)}")
        self.total_bytes = 0
        for path in self.files:
            if not path.is_file():
                raise InputError(
                    f"{str(path)!r} is no file: a replay reads its input twice. Write it into a file, or let "
                    "`streams run` read it from standard input"
                )
            with self._open(path).lines as lines:
                self.total_bytes += lines.total_bytes
        self._read_before = 0  # bytes of the files before the one that is read now
        self._reading: Lines | None = None
        self.survey: Survey | None = None  # set by `look`

    @property
    def read_bytes(self) -> int:
        """The bytes that `rows` has read, of the files as they are stored."""
        return self._read_before + (0 if self._reading is None else self._reading.read_bytes)

    def _open(self, path: Path) -> InputFile:
        return InputFile(path, self._format)

    def _rows(
        self, files: Sequence[Path], on_rows: OnRows | None = None
    ) -> Iterator[tuple[Path, bytes, Headers]]:
        """The rows of these files, one file after the other."""
        count = self._read_before = 0
        for path in files:
            file = self._open(path)
            with file.lines as self._reading:
                for value, headers in file.records:
                    yield path, value, headers
                    count += 1
                    if not count % UPDATED_ROWS and on_rows is not None:
                        on_rows(count, self.read_bytes, self.total_bytes)
                self._read_before, self._reading = self.read_bytes, None

    def look(self, read: ReadRow, tenant: str | None, limit_ms: int, on_rows: OnRows) -> Survey:
        """Looks at all rows. Raises InputError if a file cannot be read on.

        `tenant`: the path to an event's tenant. `limit_ms`: an event that is dated later is rejected.
        """
        seen = {path: _SeenFile(path) for path in self.files}
        end = EndOfInput(tenant)
        items = refused = 0
        refused_rows: list[FileRow] = []
        for path, value, headers in self._rows(self.files, on_rows):
            outcome = read(value, headers)
            events: Sequence[Event] = (outcome,) if type(outcome) is Event else events_in(outcome)
            for event in events:
                if event.at_ms <= limit_ms:
                    end.note(event)
            if isinstance(outcome, Items) and outcome.items:
                items += len(outcome.items)
                refused += sum([isinstance(item.outcome, Rejection) for item in outcome.items])
            else:
                items += 1
                if isinstance(outcome, Rejection):
                    refused += 1
                    if len(refused_rows) < REFUSED_ROWS:
                        refused_rows.append((value, headers))
            seen[path].note(timed_row(_earliest_ms(events), value, headers), events)
        judged = {"items": items, "refused": refused, "refused_rows": tuple(refused_rows)}
        self.survey = _survey_of(list(seen.values()), end_ms=end.at_ms, **judged)
        return self.survey

    def rows(self) -> Iterator[tuple[bytes, Headers]]:
        """All rows, the files in order of time."""
        assert self.survey is not None
        return ((value, headers) for _, value, headers in self._rows(self.survey.files))

    def placed_rows(self, on_rows: OnRows) -> Iterator[tuple[Path, int, bytes, Headers]]:
        """All rows, the files as they were given: each with its file and its number there, from 1."""
        before, number = None, 0
        for path, value, headers in self._rows(self.files, on_rows):
            number = number + 1 if path == before else 1
            before = path
            yield path, number, value, headers

    def timed_rows(self, read: ReadRow, on_rows: OnRows) -> Iterator[TimedRow]:
        """All rows with their times, in no order."""
        return (timed(read, value, headers) for _, value, headers in self._rows(self.files, on_rows))


def timed(read: ReadRow, value: bytes, headers: Headers) -> TimedRow:
    """A row with the time of its earliest event; NO_TIME_MS if it has none."""
    return timed_row(_earliest_ms(events_in(read(value, headers))), value, headers)


def _earliest_ms(events: Sequence[Event]) -> int:
    return min([event.at_ms for event in events], default=NO_TIME_MS)


class _SeenFile:
    """What was seen of one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows, self.stored_bytes = 0, 0
        self.total = 0  # the sum of the rows' hashes: it is the same in any order
        self.start_ms, self.latest_ms, self.disorder_ms = NO_TIME_MS, NO_TIME_MS, 0
        self._in_order = blake2b(digest_size=HASH_BYTES)

    def note(self, row: TimedRow, events: Sequence[Event]) -> None:
        """Takes note of the next row, which has these events."""
        hashed = blake2b(row.value, digest_size=HASH_BYTES)
        hashed.update(row.stored_headers + len(row.stored_headers).to_bytes(_LENGTH_BYTES, "big"))
        digest = hashed.digest()
        self._in_order.update(digest)
        self.total += int.from_bytes(digest, "big")
        self.rows += 1
        self.stored_bytes += row.stored_bytes
        if events:
            self.disorder_ms = max(self.disorder_ms, self.latest_ms - row.time_ms)
            self.latest_ms = max(self.latest_ms, *(event.at_ms for event in events))
            if row.time_ms < self.start_ms or self.start_ms == NO_TIME_MS:
                self.start_ms = row.time_ms

    @property
    def digest(self) -> bytes:
        """It stands for the rows in their order."""
        return self._in_order.digest()


def _survey_of(seen: list[_SeenFile], **judged: Any) -> Survey:
    seen.sort(key=lambda file: (file.start_ms, file.digest))
    rows, total = sum(file.rows for file in seen), sum(file.total for file in seen)
    latest_ms, disorder_ms = NO_TIME_MS, 0
    for file in seen:
        if file.start_ms != NO_TIME_MS:
            disorder_ms = max(disorder_ms, file.disorder_ms, latest_ms - file.start_ms)
            latest_ms = max(latest_ms, file.latest_ms)
    of_set = blake2b(rows.to_bytes(8, "big"), digest_size=HASH_BYTES)
    of_set.update((total % (1 << 8 * HASH_BYTES)).to_bytes(HASH_BYTES, "big"))
    in_order = blake2b(b"".join(file.digest for file in seen), digest_size=HASH_BYTES)
    name = f"replay:{of_set.hexdigest()}"
    return Survey(
        name=name,
        ordered_name=f"{name}:{in_order.hexdigest()}",
        files=tuple(file.path for file in seen),
        rows=rows,
        stored_bytes=sum(file.stored_bytes for file in seen),
        start_ms=min([file.start_ms for file in seen if file.start_ms != NO_TIME_MS], default=NO_TIME_MS),
        latest_ms=latest_ms,
        disorder_ms=disorder_ms,
        **judged,
    )
