"""What an export is: a file of its own in the directory, and the metadata of each of its files."""

from collections.abc import Mapping

import msgspec

import schemas

MANIFEST = "export.json"


class ExportedFile(msgspec.Struct, frozen=True):
    """A file of an export."""

    rows: int
    bytes: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What an export is. Each file has all of it but `files` as metadata, under `streams.` and the name."""

    app: str
    as_of: str | None  # the event time up to which every partition had read; null: nothing was read
    exported_at: str
    contract: str = schemas.VERSION
    since: str | None = None  # the range of times; null: no bound
    until: str | None = None
    files: Mapping[str, ExportedFile] = {}

    def metadata(self) -> dict[str, str]:
        """What stands in each file."""
        fields = msgspec.to_builtins(self)
        return {f"streams.{name}": text for name, text in fields.items() if isinstance(text, str)}
