"""Tables: what else belongs to a recording beside its readings, row by row."""

from __future__ import annotations

import sqlite3

import pyarrow as pa

from dsmilctl.errors import InvalidParameter, nearest

READINGS = "readings"
OF_RECORDING = (
    "operations", "events", "gaps", "token_tests", "system_metrics", "thermal_readings", "kernel_messages",
    "dsmil_responses", "discovery_log",
)  # fmt: skip
"""Tables whose rows belong to a recording."""

TYPES = {"INTEGER": pa.int64(), "REAL": pa.float64(), "TEXT": pa.string(), "BLOB": pa.binary()}


def require_table(name: str) -> None:
    """Raise InvalidParameter for a table that a recording does not have."""
    known = (READINGS, *OF_RECORDING)
    if name not in known:
        hint = nearest(name, known) or f"one of {', '.join(known)}"
        raise InvalidParameter(f"no table {name!r}", hint=hint, target="--table")


def rows_of(store: sqlite3.Connection, table: str, recording_id: str) -> pa.RecordBatchReader:
    """The rows of one of OF_RECORDING in the order in which they came; times are nanoseconds UTC."""
    declared = store.execute("SELECT name, type FROM pragma_table_info(?)", (table,))
    schema = pa.schema([(name, TYPES[kind.upper()]) for name, kind in declared])
    names = ", ".join(f'"{name}"' for name in schema.names)
    query = f"SELECT {names} FROM {table} WHERE session_id = ? ORDER BY rowid"
    found = store.execute(query, (recording_id,))

    def batches() -> list[pa.RecordBatch]:
        return [
            pa.RecordBatch.from_arrays(
                [
                    pa.array(column, field.type)
                    for column, field in zip(zip(*rows, strict=True), schema, strict=True)
                ],
                schema=schema,
            )
            for rows in iter(lambda: found.fetchmany(10_000), [])
        ]

    return pa.RecordBatchReader.from_batches(schema, batches())
