"""Readers of the user's own, and what can be wrong with them."""

import json
import signal
import subprocess
import sys

import pytest

from core import artifact
from core.data import build
from core.data.recipe import Recipe
from core.errors import DataError, UsageError
from core.formats import beir

DOCUMENT = "yield {'kind': 'document', 'id': 'd1', 'text': 'a text', 'year': 2024}"


def recipe(tmp_path, body, **more):
    (tmp_path / "reader.py").write_text("def read():\n" + "".join(f"    {line}\n" for line in body.splitlines()))
    source = {"type": "python", "file": tmp_path / "reader.py", **more.pop("source", {})}
    return Recipe.model_validate({"stage": "data", "out": tmp_path / "out", "source": source, **more})


def made(tmp_path, body, **more):
    artifact.make(recipe(tmp_path, body, **more), build.run)
    return tmp_path / "out"


def test_other_fields_of_a_dict_are_metadata_and_what_is_printed_is_no_result(tmp_path, capsys):
    out = made(tmp_path, f"print('told')\n{DOCUMENT}")
    (document,) = beir.read_documents(out)
    assert (document.id, document.metadata) == ("d1", {"year": 2024})
    printed = capsys.readouterr()
    assert (printed.out, "told" in printed.err) == ("", True)


def test_nothing_is_written_beside_the_reader(tmp_path):
    made(tmp_path, DOCUMENT)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "reader.py"]


def test_a_changed_reader_is_another_source(tmp_path):
    made(tmp_path, DOCUMENT)
    assert not artifact.make(recipe(tmp_path, DOCUMENT), build.run)
    with pytest.raises(UsageError, match=r"source\.file: has other content"):
        artifact.make(recipe(tmp_path, f"pass\n{DOCUMENT}"), build.run)


def test_documents_may_come_from_files_and_the_rest_from_the_reader(tmp_path):
    (tmp_path / "d.jsonl").write_text('{"id": "d1", "text": "a text"}\n')
    body = """yield {"kind": "judgement", "query_id": "q", "document_id": "d1", "grade": 2}
yield {"kind": "query", "id": "q", "text": "what"}"""
    out = made(tmp_path, body, source={"documents": tmp_path / "d.jsonl"})
    assert beir.read_qrels(out, "test") == {"q": {"d1": 2}}
    with pytest.raises(UsageError, match="the function yields documents, and the recipe names other files"):
        artifact.make(recipe(tmp_path, DOCUMENT, source={"documents": tmp_path / "d.jsonl"}), build.run, force=True)


def test_an_error_in_the_reader_is_told_with_its_line(tmp_path):
    with pytest.raises(DataError, match="the reader failed: KeyError: 'name'") as raised:
        made(tmp_path, f"{DOCUMENT}\nrow = {{}}\nrow['name']")
    assert raised.value.where == f"{tmp_path / 'reader.py'}:4"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("x = 1\ndef read(:\n", 2, "SyntaxError"),
        ("import absent_package\n", 1, "ModuleNotFoundError"),
        ("x = 1\n", None, "there is no function `read`; the file has none"),
        ("def load(): yield\nread = 1\n", None, "there is no function `read`; the file has `load`"),
        ("def read():\n    return 1\n", None, "`read` gives a int, not records one after the other"),
        ("def read(path):\n    yield\n", None, "TypeError"),
        ("def read():\n    raise SystemExit(3)\n    yield\n", 2, "the reader failed: SystemExit: 3"),
    ],
)
def test_a_file_that_is_no_reader_is_told(tmp_path, text, line, told):
    given = recipe(tmp_path, DOCUMENT)
    (tmp_path / "reader.py").write_text(text)
    with pytest.raises((DataError, UsageError), match=told) as raised:
        artifact.make(given, build.run)
    assert raised.value.where == str(tmp_path / "reader.py") + (f":{line}" if line else "")


BAD = [
    ("'a text'", "bad record", "the record is a str"),
    ("{'id': 'd2', 'text': 't'}", "bad record", "a dict without a `kind` of document, query, judgement"),
    ("{'kind': 'document', 'text': 't'}", "missing id", "there is no `id`"),
    ("{'kind': 'document', 'id': 'd2', 'text': None}", "bad text", "`text` is null"),
    ("{'kind': 'document', 'id': 'd2', 'text': 't', 'x': {1}}", "bad record", "`x` is a set, which JSON cannot hold"),
    (r"{'kind': 'document', 'id': 'd2', 'text': '\ud800'}", "bad record", "`text` is a str, which JSON cannot hold"),
    (
        "{'kind': 'document', 'id': 'd2', 'text': 't', 'x': 10**30}",
        "bad record",
        "`x` is a int, which JSON cannot hold",
    ),
    ("{'kind': 'document', 'id': 'd2', 'text': ('t',)}", "bad text", "`text` is a list, not text"),
    ("{'kind': 'judgement', 'query_id': 'q', 'document_id': 'd1'}", "missing id", "the judgement has no `grade`"),
    ("{'kind': 'judgement', 'query_id': 'q', 'document_id': 'd1', 'grade': 0.5}", "bad grade", "0.5 is not an integer"),
]


@pytest.mark.parametrize(("record", "reason", "told"), BAD, ids=[told for *_, told in BAD])
def test_a_record_that_is_none_ends_the_run_or_is_set_aside_once(tmp_path, record, reason, told):
    body = f"{DOCUMENT}\nyield {record}"
    with pytest.raises(DataError) as raised:
        made(tmp_path, body)
    assert f"{tmp_path / 'reader.py'}: read(), record 2: " in raised.value.what
    assert told in raised.value.what
    out = made(tmp_path, body, on_bad_row="reject")
    rejected = [json.loads(line) for line in (out / "rejected.jsonl").read_text().splitlines()]
    assert [row["reason"] for row in rejected] == [reason]


def test_a_split_that_would_leave_the_artifact_is_refused(tmp_path):
    body = f"""{DOCUMENT}
yield {{"kind": "query", "id": "q", "text": "what"}}
yield {{"kind": "judgement", "query_id": "q", "document_id": "d1", "grade": 1, "split": "../../away"}}"""
    with pytest.raises(DataError, match=r"the split '\.\./\.\./away' is no name"):
        made(tmp_path, body)
    assert not (tmp_path / "away.tsv").exists()


def test_a_reader_that_yields_nothing_is_told(tmp_path):
    with pytest.raises(DataError, match="no document is left: the source gives none"):
        made(tmp_path, "return\nyield")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_inside_the_reader_is_no_fault_of_it(tmp_path, number, status):
    (tmp_path / "reader.py").write_text(
        "import sys, time\n"
        "def read():\n"
        "    print('reading', file=sys.stderr, flush=True)\n"
        "    time.sleep(60)\n"
        "    yield {'kind': 'document', 'id': 'd', 'text': 't'}\n"
    )
    (tmp_path / "r.yaml").write_text("stage: data\nout: out\nsource: {type: python, file: reader.py, function: read}\n")
    command = [sys.executable, "-m", "cli.main", "data", "r.yaml"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as child:
        while "reading" not in child.stderr.readline():
            assert child.poll() is None
        child.send_signal(number)
        assert child.wait(60) == status
        assert "the reader failed" not in child.stderr.read()
