"""Writes what a log says into Parquet files, for DuckDB and notebooks. It needs the extra `parquet`."""
