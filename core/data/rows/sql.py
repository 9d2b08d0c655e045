"""Questions with a query on a database as items: the ground truth is JSON text of the query and its database."""

import json
import sqlite3
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from core.data.rows.choice import EXPLANATION, QUESTION, first_text
from core.data.rows.item import Item, in_form
from core.errors import DataError
from core.formats import values
from core.formats.fields import find_text
from core.formats.prompts import Prompts
from core.formats.rows import BadRow, Row

NAMES = ("question", "schema")
"""What a template must have."""
MORE_NAMES = ("evidence",)
"""What it may have."""

SQL = ("sql", "SQL", "query", "answer", "target")
DATABASE = ("db_id", "database")

Schema = Callable[[str], str]
"""The tables of a database by its id, as the statements that make them."""


def item(row: Row, prompts: Prompts, schema: Schema) -> Item:
    """The item of a row.

    Raises:
        BadRow: it has no question or no query, or nothing tells the tables of its database.
        DataError: its database cannot be read.
    """
    question, sql = values.query(row, find_text(row, QUESTION)), first_text(row, SQL)
    database, evidence = first_text(row, DATABASE), first_text(row, ("evidence",))
    if not sql:
        what = f"the row has no query: {', '.join(f'`{name}`' for name in SQL)}"
        raise BadRow("bad answer", what, where=row.where, row=row.fields)
    tables = first_text(row, ("schema",)) or schema(database)
    if not tables:
        what = f"nothing tells the tables of the database `{database}`"
        raise BadRow("missing text", what, where=row.where, row=row.fields, hint="a field `schema`, or `databases`")
    return Item(
        where=row.where,
        question=question,
        prompt=prompts.fill(question=question, schema=tables, evidence=evidence),
        answer=in_form(first_text(row, EXPLANATION), "sql", sql),
        truth=json.dumps({"sql": sql, "db_id": database}, ensure_ascii=False),
        kin=(f"{database}\n{question}",),
    )


def schemas(databases: Path | None) -> Schema:
    """Reads tables out of databases: a folder with `<db_id>/<db_id>.sqlite` or `<db_id>.sqlite`, or the one file."""

    @lru_cache(maxsize=1024)
    def schema(id_: str) -> str:
        if databases is None:
            return ""
        inside = (databases / id_ / f"{id_}.sqlite", databases / f"{id_}.sqlite")
        path = databases if databases.is_file() else next((place for place in inside if place.is_file()), None)
        if path is None:
            hint = "`databases` is a folder with `<db_id>/<db_id>.sqlite`, or one file"
            raise DataError(f"there is no database `{id_}`", where=str(databases), hint=hint)
        return _tables(path)

    return schema


def _tables(path: Path) -> str:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        found = connection.execute("SELECT sql FROM sqlite_master WHERE type = 'table' AND sql != '' ORDER BY rowid")
        return "\n".join(f"{sql};" for (sql,) in found)
    except sqlite3.DatabaseError as error:
        raise DataError(f"the database cannot be read: {error}", where=str(path)) from None
    finally:
        connection.close()
