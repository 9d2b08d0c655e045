import pytest

from core.errors import DataError
from core.retrieval import store
from core.types import Document


def test_documents_are_numbered_in_the_order_of_their_ids(tmp_path):
    ids = ["b", "a10", "a9", "中", "Z"]
    opened = store.write((Document(id_, f"text of {id_}") for id_ in ids), tmp_path)
    assert [opened.id(number) for number in range(len(opened))] == sorted(ids)
    assert [document.text for document in opened] == [f"text of {id_}" for id_ in sorted(ids)]


def test_a_document_comes_back_whole(tmp_path):
    document = Document("d", "文\n本", "题", {"股票代码": "002851", "n": [1, 2]})
    assert store.write([document], tmp_path).document(0) == document


def test_numbers_are_found_by_id(tmp_path):
    opened = store.write((Document(f"d{i}", "t") for i in range(100)), tmp_path)
    assert all(opened.id(opened.number(f"d{i}")) == f"d{i}" for i in range(100))
    assert opened.number("d") is None
    assert opened.number("zz") is None


@pytest.mark.parametrize(
    ("ids", "says"),
    [([], "no document"), (["a", "b", "a"], "'a' is given twice"), (["a\nb"], "line end"), ([""], "empty")],
)
def test_unusable_ids_are_refused(tmp_path, ids, says):
    with pytest.raises(DataError, match=says):
        store.write((Document(id_, "t") for id_ in ids), tmp_path)
