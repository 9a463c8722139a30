"""SQL over all logs and manifests of a store.

Two tables: ``runs`` has a row for each run: ``hash``, ``name``, ``folder``, every field of its
full configuration, of its summary and of its provenance, with underscores for the dots of their
paths (``training_optimiser_learning_rate``, ``summary_final_test_error``); lists are JSON text.
``logs`` has a row for each line of a log: ``hash``, ``name``, then the log's columns.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ridgeline.dotted import leaves, without_options
from ridgeline.errors import MissingExtra, StoreError
from ridgeline.study.store.records import StoredRun

__all__ = ["flat", "run"]


def run(runs: Sequence[StoredRun], sql: str) -> Any:
    """The answer to one SELECT, as a table of pyarrow; see `Store.query`."""
    try:
        import duckdb
    except ImportError as error:
        raise MissingExtra("duckdb", "study", "SQL over a store") from error
    connection = duckdb.connect(":memory:")
    try:
        try:
            statements = connection.extract_statements(sql)
        except duckdb.Error as error:
            raise _refused(sql, error) from error
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise StoreError(
                "A question to a store is one SELECT.",
                got=repr(sql),
                remedy="The tables are runs and logs; DESCRIBE is: select * from "
                "information_schema.columns.",
            )
        connection.register("runs", _runs(runs))
        connection.register("logs", _logs(runs))
        # Whoever's SQL it is reads what was registered, and no file of this machine.
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        try:
            return connection.sql(sql).to_arrow_table()
        except duckdb.Error as error:
            raise _refused(sql, error) from error
    finally:
        connection.close()


def flat(record: Mapping[str, Any], prefix: str = "", joint: str = "_") -> dict[str, Any]:
    """Nested fields under their joined paths; lists as JSON text.

    A level called ``options`` is left out of paths, as it is in a spec: ``net.widths``.
    """
    named = ((f"{prefix}.{path}" if prefix else path, value) for path, value in leaves(record))
    return {
        without_options(path).replace(".", joint): json.dumps(x) if isinstance(x, list) else x
        for path, x in named
        if not isinstance(x, Mapping)
    }


def _refused(sql: str, error: Exception) -> StoreError:
    return StoreError(
        "The statement must be SQL that DuckDB understands, over the tables runs and logs.",
        got=f"{sql!r}: {error}",
    )


def _runs(runs: Sequence[StoredRun]) -> Any:
    import pyarrow

    rows = []
    for one in runs:
        named = {"hash": one.identity.hash, "name": one.identity.name, "folder": one.folder}
        said = flat(one.summary, "summary") | flat(one.provenance, "provenance")
        rows.append(flat(one.full) | said | named)
    columns = dict.fromkeys(["hash", "name", "folder", *(n for row in rows for n in row)])
    return pyarrow.table({name: _column([row.get(name) for row in rows]) for name in columns})


def _column(values: Sequence[Any]) -> Any:
    """One type for a column: that of its values, or text if they differ."""
    import pyarrow

    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        values = [None if value is None else float(value) for value in values]
    elif len(kinds) > 1:
        values = [
            v if v is None or isinstance(v, str) else json.dumps(v, sort_keys=True) for v in values
        ]
    return pyarrow.array(values) if kinds else pyarrow.array(values, pyarrow.string())


def _logs(runs: Sequence[StoredRun]) -> Any:
    import pyarrow

    tables = []
    for one in runs:
        columns = one.log()
        count = len(next(iter(columns.values()), []))
        named = {"hash": [one.identity.hash] * count, "name": [one.identity.name] * count}
        tables.append(pyarrow.table(named | columns))
    if not tables:
        return pyarrow.table({"hash": pyarrow.array([], pyarrow.string())})
    return pyarrow.concat_tables(tables, promote_options="permissive")
