import pytest

from core.errors import DataError
from core.formats import trec
from core.formats.qrels import Judgement


def test_judgements_are_four_columns(tmp_path):
    path = tmp_path / "qrels.txt"
    path.write_text("q1 0 d1 2\nq1\tQ0\td2\t0\n\n7 0 8 -1\n")
    found = list(trec.read_qrels(path, "test"))
    assert [item[:4] for item in found] == [("test", "q1", "d1", 2), ("test", "q1", "d2", 0), ("test", "7", "8", -1)]
    assert found[1].where == f"{path}:2"
    assert trec.write_qrels(path, found) == 3
    assert path.read_text() == "q1 0 d1 2\nq1 0 d2 0\n7 0 8 -1\n"


@pytest.mark.parametrize(
    ("line", "reason", "hint"),
    [
        ("q1 0 d1", "wrong columns", None),
        ("q1 Q0 d1 1 3.5 bm25", "wrong columns", "a run"),
        ("q1 0 d1 1.5", "bad grade", "not relevant"),
    ],
)
def test_a_bad_judgement_is_told_with_its_place(tmp_path, line, reason, hint):
    path, bad = tmp_path / "qrels.txt", []
    path.write_text(f"q 0 d 1\n{line}\n")
    assert len(list(trec.read_qrels(path, "test", bad.append))) == 1
    assert (bad[0].reason, bad[0].where) == (reason, f"{path}:2")
    assert hint is None or hint in bad[0].hint


def test_an_id_with_white_space_is_never_written(tmp_path):
    with pytest.raises(DataError, match="white space"):
        trec.write_qrels(tmp_path / "qrels.txt", [Judgement("test", "q 1", "d", 1, "somewhere")])
