"""Queries run on databases that nothing can change, within bounds."""

import json
import sqlite3

import pytest

from core.errors import Missing
from core.reward.faults import BadTruth
from core.reward.parts.sql import is_sorted, same_rows
from core.reward.sample import Sample

TRUE = "SELECT name FROM fund WHERE nav > 1"


@pytest.fixture
def databases(tmp_path):
    """A folder with one database, as Spider has them."""
    path = tmp_path / "databases/funds/funds.sqlite"
    path.parent.mkdir(parents=True)
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE fund (name TEXT, nav REAL)")
        connection.executemany("INSERT INTO fund VALUES (?, ?)", [("a", 1.5), ("b", 2), ("c", 0.5), ("b", 3)])
    connection.close()
    return tmp_path / "databases"


@pytest.fixture
def run(scorer, databases):
    """Score a query: `run(asked, true=…)` gives value and why."""

    def score(asked, true=TRUE, **part):
        fields = {"type": "sql_execution", "databases": str(databases), "other_rows": 0.3, "error": -1, **part}
        truth = {"sql": true, "db_id": "funds"}
        response = f"<answer>{json.dumps({'sql': asked})}</answer>"
        (item,) = scorer(fields, answer_key="sql").score([Sample("q", response, truth)])
        return item.total, item.why.get("sql_execution", "")

    return score


@pytest.mark.parametrize(
    ("asked", "value"),
    [
        (TRUE, 1),
        ("SELECT name FROM fund WHERE nav > 1 ORDER BY nav DESC", 1),
        ("SELECT f.name FROM fund AS f WHERE NOT nav <= 1;", 1),
        ("SELECT DISTINCT name FROM fund WHERE nav > 1", 0.3),
        ("SELECT name, nav FROM fund WHERE nav > 1", 0.3),
        ("SELECT name FROM fund WHERE nav > 99", 0.3),
        ("SELECT nome FROM fund", -1),
        ("SELEC name", -1),
        ("", -1),
    ],
)
def test_the_same_rows_are_right_in_any_order(run, asked, value):
    assert run(asked)[0] == value


def test_the_order_counts_where_the_true_query_sorts(run):
    true = "SELECT name FROM fund ORDER BY nav"
    assert run("SELECT name FROM fund ORDER BY nav ASC", true)[0] == 1
    assert run("SELECT name FROM fund ORDER BY nav DESC", true)[0] == 0.3


def test_numbers_are_the_same_to_nine_digits(run):
    assert run("SELECT 0.1 + 0.2, 2.0", "SELECT 0.3, 2")[0] == 1
    assert run("SELECT 0.3001", "SELECT 0.3")[0] == 0.3


@pytest.mark.parametrize(
    "asked",
    [
        "DELETE FROM fund",
        "DROP TABLE fund",
        "INSERT INTO fund VALUES ('x', 1)",
        "CREATE TABLE t (a)",
        "ATTACH DATABASE 'made.sqlite' AS made",
        "PRAGMA writable_schema = 1",
        "SELECT load_extension('x')",
        "SELECT 1; DELETE FROM fund",
    ],
)
def test_nothing_can_be_changed_or_made(run, databases, asked, tmp_path):
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.sqlite")}
    assert run(asked)[0] == -1
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.sqlite")} == before


def test_a_query_without_an_end_is_stopped(run):
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    assert run(endless, timeout_seconds=0.2) == (-1, "longer than 0.2 s")


def test_a_query_with_too_many_rows_has_other_rows(run):
    many = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n"
    assert run(many, max_rows=100)[0] == 0.3


def test_a_huge_cell_is_an_error(run):
    assert run("SELECT length(zeroblob(1000000000))")[0] == -1


def test_a_true_query_that_does_not_run_is_a_fault_of_the_data(run):
    with pytest.raises(BadTruth, match="the true query does not run: no such table: gone"):
        run(TRUE, "SELECT * FROM gone")


def test_a_database_that_is_not_there_or_none_is_no_score(scorer, databases):
    reward = scorer({"type": "sql_execution", "databases": str(databases)}, answer_key="sql")
    response = '<answer>{"sql": "SELECT 1"}</answer>'
    with pytest.raises(Missing, match="there is no database `other`"):
        reward.score([Sample("q", response, {"sql": "SELECT 1", "db_id": "other"})])
    (databases / "broken.sqlite").write_bytes(b"no database at all, but a text of some length" * 99)
    with pytest.raises(Missing, match="cannot be read"):
        reward.score([Sample("q", response, {"sql": "SELECT * FROM x", "db_id": "broken"})])


def test_one_file_serves_all_rows(scorer, databases):
    reward = scorer({"type": "sql_execution", "databases": str(databases / "funds/funds.sqlite")}, answer_key="sql")
    assert reward.score([Sample("q", f'<answer>{{"sql": "{TRUE}"}}</answer>', TRUE)])[0].total == 1


@pytest.mark.parametrize(
    ("sql", "sorted_"),
    [
        ("SELECT a FROM t ORDER BY a", True),
        ("select a from t order\n by a limit 3", True),
        ("SELECT a FROM (SELECT a FROM t ORDER BY a)", False),
        ("SELECT ' order by ' FROM t", False),
        ("SELECT a FROM t", False),
    ],
)
def test_an_order_counts_on_the_outside_only(sql, sorted_):
    assert is_sorted(sql) == sorted_


def test_rows_are_compared_as_often_as_they_come():
    assert not same_rows([(1,), (1,), (2,)], [(1,), (2,), (2,)], ordered=False)
    assert same_rows([(1,), (2,), (1,)], [(1,), (1,), (2.0,)], ordered=False)
