import json

import numpy as np
import pytest

from core.errors import ContractError, Missing, UsageError
from core.retrieval.index import build, open_index
from core.retrieval.spec import Bm25, Dense, Hybrid, ReciprocalRank, Weighted
from core.types import Document

DOCUMENTS = [
    Document("d3", "fund fees and costs"),
    Document("d1", "the fund pays a dividend"),
    Document("d2", "bond duration and yield", title="bonds"),
    Document("d4", "fund fees and costs"),
]
QUERIES = ["fund fees", "yield of a bond", "dividend"]


@pytest.fixture(scope="module")
def specs(static_model):
    from core.text.spec import English

    lexical, semantic = Bm25(analyzer=English(type="english")), Dense(type="dense", model=str(static_model))
    return {
        "bm25": lexical,
        "dense": semantic,
        "hybrid": Hybrid(type="hybrid", bm25=lexical, dense=semantic),
        "rrf": Hybrid(type="hybrid", bm25=lexical, dense=semantic, fusion=ReciprocalRank(type="rrf")),
    }


@pytest.fixture(scope="module")
def opened(specs, tmp_path_factory):
    home = tmp_path_factory.mktemp("indexes")
    for name, spec in specs.items():
        build(DOCUMENTS, spec, home / name)
    return {name: open_index(home / name) for name in specs}


# The contract that every backend keeps.


@pytest.mark.parametrize("kind", ["bm25", "dense", "hybrid", "rrf"])
def test_hits_come_best_first_with_ties_by_id(opened, kind):
    for hits in opened[kind].search(QUERIES, 4):
        assert hits == sorted(hits, key=lambda hit: (-hit.score, hit.document_id))
        assert len({hit.document_id for hit in hits}) == len(hits)


@pytest.mark.parametrize("kind", ["bm25", "dense", "hybrid", "rrf"])
def test_documents_with_the_same_text_tie(opened, kind):
    first, second = opened[kind].search(["fund fees"], 4)[0][:2]
    assert (first.document_id, second.document_id) == ("d3", "d4")
    if kind != "rrf":  # ranks differ even where scores do not
        assert first.score == second.score


@pytest.mark.parametrize("kind", ["bm25", "dense", "hybrid", "rrf"])
def test_a_batch_answers_as_its_queries_alone(opened, kind):
    together = opened[kind].search(QUERIES, 3)
    alone = [opened[kind].search([query], 3)[0] for query in QUERIES]
    assert [[h.document_id for h in hits] for hits in together] == [[h.document_id for h in hits] for hits in alone]
    scores = [[hit.score for hits in answers for hit in hits] for answers in (together, alone)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)


@pytest.mark.parametrize("kind", ["bm25", "dense", "hybrid", "rrf"])
def test_a_smaller_k_is_the_head_of_a_larger_one(opened, kind):
    whole = opened[kind].search(QUERIES, 4)
    assert opened[kind].search(QUERIES, 2) == [hits[:2] for hits in whole]


@pytest.mark.parametrize("kind", ["bm25", "dense", "hybrid", "rrf"])
def test_documents_come_back_by_id(opened, kind):
    assert opened[kind].documents(["d2"])[0].contents == "bonds\nbond duration and yield"
    with pytest.raises(UsageError, match="no document 'x'"):
        opened[kind].documents(["x"])


def test_a_hybrid_index_answers_as_each_of_its_legs(opened):
    for leg in ("bm25", "dense"):
        assert opened["hybrid"].search(QUERIES, 4, method=leg) == opened[leg].search(QUERIES, 4)


def test_alpha_is_the_weight_of_bm25(opened):
    def ids(alpha):
        return [[hit.document_id for hit in hits] for hits in opened["hybrid"].search(QUERIES, 4, alpha=alpha)]

    def leg(name):
        return [[hit.document_id for hit in hits] for hits in opened[name].search(QUERIES, 4)]

    assert ids(1.0) == leg("bm25")
    assert ids(0.0) == leg("dense")
    assert opened["hybrid"].weights(0) == {"bm25": 0, "dense": 1}
    assert opened["hybrid"].weights() == {"bm25": 0.6, "dense": 0.4}


def test_what_an_index_cannot_answer_is_a_sentence(opened):
    with pytest.raises(UsageError, match="by bm25, not by `dense`"):
        opened["bm25"].search(["x"], 1, method="dense")
    with pytest.raises(UsageError, match=r"alpha is 1\.5"):
        opened["hybrid"].search(["x"], 1, alpha=1.5)


def test_dense_scores_are_the_cosines_of_plain_sentence_transformers(opened, static_model):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(static_model))
    by_id = sorted(DOCUMENTS, key=lambda document: document.id)
    cosines = np.asarray(model.similarity(model.encode(QUERIES), model.encode([d.contents for d in by_id])))
    for hits, row in zip(opened["dense"].search(QUERIES, 4), cosines, strict=True):
        assert {hit.document_id: hit.score for hit in hits} == pytest.approx(
            {document.id: float(score) for document, score in zip(by_id, row, strict=True)}, abs=1e-5
        )


def test_a_model_that_was_changed_is_refused(specs, tmp_path):
    build(DOCUMENTS, specs["dense"], tmp_path)
    facts = json.loads((tmp_path / "dense/index.json").read_text())
    facts["contract"]["weights"] = "of another training"
    (tmp_path / "dense/index.json").write_text(json.dumps(facts))
    with pytest.raises(ContractError, match=r"not the one that this index was built with \(weights"):
        open_index(tmp_path).search(["fund"], 1)


def test_an_index_of_another_format_is_refused(specs, tmp_path):
    build(DOCUMENTS, specs["bm25"], tmp_path)
    facts = json.loads((tmp_path / "index.json").read_text())
    (tmp_path / "index.json").write_text(json.dumps({**facts, "format": 0}))
    with pytest.raises(ContractError, match="format 0, this version reads"):
        open_index(tmp_path)


def test_a_model_that_is_nowhere_is_a_sentence(tmp_path):
    spec = Dense(type="dense", model=str(tmp_path / "nothing"))
    with pytest.raises(Missing, match="there is no folder"):
        build(DOCUMENTS, spec, tmp_path / "index")


def test_weighted_is_the_default_fusion_with_the_sources_alpha(specs):
    assert specs["hybrid"].fusion == Weighted()
    assert specs["hybrid"].alpha == 0.6


def test_a_query_that_the_model_knows_nothing_of_has_no_dense_hit(specs, tmp_path, static_model):
    opened = _built(tmp_path, specs["hybrid"])
    assert opened.search(["   "], 3, method="dense") == [[]]
    lexical = opened.search(["dividend"], 3, method="bm25")[0]
    assert [hit.document_id for hit in opened.search(["dividend"], 1, alpha=1.0)[0]] == [lexical[0].document_id]


def test_more_ties_than_were_asked_for_are_still_in_the_order_of_ids(specs, tmp_path):
    build([Document(f"d{i:02}", "the same text") for i in range(60)], specs["dense"], tmp_path)
    hits = open_index(tmp_path).search(["same"], 5)[0]
    assert [hit.document_id for hit in hits] == ["d00", "d01", "d02", "d03", "d04"]


def test_an_index_and_its_model_can_move_together(static_model, tmp_path):
    import shutil

    shutil.copytree(static_model, tmp_path / "a/model")
    build(DOCUMENTS, Dense(type="dense", model=str(tmp_path / "a/model")), tmp_path / "a/index")
    (tmp_path / "a").rename(tmp_path / "b")
    assert open_index(tmp_path / "b/index").search(["fund"], 1)[0]


def test_a_damaged_array_is_a_sentence(specs, tmp_path):
    build(DOCUMENTS, specs["bm25"], tmp_path)
    path = tmp_path / "bm25/impacts.npy"
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(ContractError, match="the array is damaged"):
        open_index(tmp_path)


def _built(folder, spec):
    build(DOCUMENTS, spec, folder)
    return open_index(folder)
