"""Writes one table, row by row, in bounded memory."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from streams.queries.parquet.columns import Column, RecordFields

PACKED_AT_ONCE = 4_096  # rows that are Python objects at a time: some 10 MB
# Rows that are read together, and held here until then: some 30 MB. DuckDB gives as many to one thread.
GROUP_ROWS = 30 * PACKED_AT_ONCE


class TableFile:
    """A Parquet file that is being written. It is whole once it is closed."""

    def __init__(
        self,
        path: Path,
        columns: Sequence[Column],
        about: Mapping[str, str],
        packed_at_once: int = PACKED_AT_ONCE,
        group_rows: int = GROUP_ROWS,
    ) -> None:
        """`about` becomes metadata of the file."""
        self.rows = 0
        self._columns = columns
        self._schema = pa.schema([(column.name, column.type) for column in columns], metadata=about)
        self._packed_at_once, self._group_rows = packed_at_once, group_rows
        self._records: list[RecordFields] = []
        self._packed: list[pa.RecordBatch] = []
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")

    def add(self, fields: RecordFields) -> None:
        """Adds a row."""
        self._records.append(fields)
        self.rows += 1
        if len(self._records) >= self._packed_at_once:
            self._pack()
            if self.rows % self._group_rows == 0:
                self._write()

    def close(self) -> None:
        """Writes what is left, and the end of the file."""
        self._pack()
        self._write()
        self._writer.close()

    def _pack(self) -> None:
        if self._records:
            arrays = [column.array(self._records) for column in self._columns]
            self._packed.append(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
            self._records.clear()

    def _write(self) -> None:
        if self._packed:
            # Each batch has its own dictionaries; with one for all, the column stays a dictionary on disk.
            table = pa.Table.from_batches(self._packed, self._schema).unify_dictionaries()
            self._writer.write_table(table, row_group_size=self._group_rows)
            self._packed.clear()
