"""The readers of a partition's sources, by one door."""

from streams.core.ingest.door import Door
from streams.core.ingest.reading import RecordReader
from streams.topology import split_source


class Readers:
    """Makes the reader of each source when it is first asked for."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self._known: dict[str, RecordReader] = {}  # by source

    def of(self, source: str) -> RecordReader:
        """What reads the records of this source."""
        reader = self._known.get(source)
        if reader is None:
            reader = self._known[source] = RecordReader(self.door, split_source(source)[0])
        return reader
