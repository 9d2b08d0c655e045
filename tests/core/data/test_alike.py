"""Near-duplicates of relevant documents keep their queries on one side."""

from core import artifact
from core.data import build
from core.data.recipe import Recipe, Split
from core.data.split import bound_together
from core.formats import beir
from core.types import Document, Query

TEXT = "第{0}号基金的管理费率为每年{1}，由基金管理人按日计提、按月支付，遇法定节假日顺延至下一个工作日支付给{0}。"


def text(number):
    # Each number is a word of its own many times, so texts of different numbers are far apart.
    return "".join(chr(0x4E00 + 97 * number + step * 7) for step in range(80)) + TEXT.format(number, "百分之一")


def test_queries_of_near_duplicates_stay_together(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    documents = [Document(f"d{n}", text(n)) for n in range(30)] + [
        Document(f"e{n}", text(n) + "完。") for n in range(30)
    ]
    beir.write_documents(folder, documents)
    beir.write_queries(folder, [Query(f"{side}{n}", f"问题{side}{n}") for side in "de" for n in range(30)])
    beir.write_qrels(folder, "test", {f"{side}{n}": {f"{side}{n}": 1} for side in "de" for n in range(30)})
    for threshold, together in ((0.8, True), (None, False)):
        recipe = Recipe(
            stage="data",
            out=tmp_path / f"out-{together}",
            source={"type": "beir", "path": folder},
            split=Split(near_duplicates=threshold),
        )
        artifact.make(recipe, build.run)
        side = {q: split for split in beir.splits(recipe.out) for q in beir.read_qrels(recipe.out, split)}
        assert all(side[f"d{n}"] == side[f"e{n}"] for n in range(30)) is together
        assert len(side) == 60


def test_documents_that_are_alike_bind_their_queries():
    qrels = {"q1": {"a": 1}, "q2": {"b": 1}, "q3": {"c": 1, "b": 0}}
    assert bound_together(qrels) == [["q1"], ["q2", "q3"]]
    assert bound_together(qrels, {"a": "a", "c": "a"}) == [["q1", "q2", "q3"]]
