"""The shipped exercises are what their program makes, and their true answers are true."""

import gzip
import json
import sqlite3
from pathlib import Path

from core.reward.parts import sql
from core.text import answer
from tests import exercises

FOLDER = Path(__file__).parents[1] / "recipes/sample/exercises"


def shipped(name):
    path = FOLDER / name
    if path.suffix != ".sqlite":
        content = path.read_bytes()
        return (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    found = list(connection.iterdump())
    connection.close()
    return found


def rows(name):
    return [json.loads(line) for line in shipped(name).splitlines()]


def test_the_shipped_files_are_what_the_program_makes(tmp_path):
    made = exercises.files()
    there = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.is_file()}
    assert there == {*made, "README.md", "agent/user.txt"}
    connection = sqlite3.connect(tmp_path / "shop.sqlite")
    connection.executescript(made.pop("shop.sqlite"))
    assert shipped("shop.sqlite") == list(connection.iterdump())
    connection.close()
    assert made == {name: shipped(name) for name in made}


def test_every_query_on_the_shop_gives_rows():
    for row in rows("shop.jsonl"):
        assert sql.run(row["sql"], FOLDER / "shop.sqlite", 5, 100) or "cost" in row["question"], row


def test_every_call_finds_its_answer():
    for row in rows("calls.jsonl.gz"):
        found, said = (message["content"] for message in row["messages"][-2:])
        assert answer.read(said).text in found


def test_the_true_title_is_among_the_options():
    found = rows("choices.jsonl")
    assert all(row["choices"][row["answer"]] in row["explanation"] for row in found)
    assert {row["answer"] for row in found} == set("ABCD")
