import random

import ir_measures
import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from core.embed.proof import quick
from core.embed.rows.row import Exam
from core.errors import ContractError, DataError
from core.types import Document, Query


def load(folder):
    return SentenceTransformer(str(folder), device="cpu")


def exam_of(num_queries, num_documents, relevant=1):
    rng = random.Random(3)
    letters = "abcdefghij"
    # No two with the same letters: their cosines would tie, which trec_eval breaks by falling id.
    texts = dict.fromkeys("".join(sorted(rng.choices(letters, k=8))) for _ in range(2 * num_documents))
    documents = [Document(f"d{n}", text) for n, text in zip(range(num_documents), texts, strict=False)]
    queries = [Query(f"q{n}", "".join(rng.choices(letters, k=5))) for n in range(num_queries)]
    qrels = {
        query.id: {d.id: rng.choice([1, 2]) for d in rng.sample(documents, relevant)} | {documents[0].id: 0}
        for query in queries
    }
    return Exam(queries, qrels, documents, "made up")


def test_ndcg_is_that_of_trec_eval_over_exact_cosines(static_model):
    exam, model = exam_of(30, 200, relevant=3), load(static_model)
    queries = model.encode([query.text for query in exam.queries], normalize_embeddings=True)
    documents = model.encode([document.text for document in exam.documents], normalize_embeddings=True)
    run = {
        query.id: {d.id: float(score) for d, score in zip(exam.documents, scores, strict=True)}
        for query, scores in zip(exam.queries, queries @ documents.T, strict=True)
    }
    for k in (1, 5, 10):
        theirs = ir_measures.nDCG @ k
        expected = ir_measures.calc_aggregate([theirs], exam.qrels, run)[theirs]
        assert quick.ndcg(model, exam, k=k) == pytest.approx(expected, abs=1e-6)
    assert 0 < quick.ndcg(model, exam) < 1


def test_a_large_exam_is_cut_with_all_that_is_relevant_in_it():
    exam = exam_of(300, 5_000, relevant=4)
    prepared = quick.Prepared(exam)
    assert (len(prepared.queries), len(prepared.documents)) == (200, 1_000)
    ids = {document.id for document in prepared.documents}
    assert all(id_ in ids for query in prepared.queries for id_, grade in exam.qrels[query.id].items() if grade > 0)


def test_queries_with_too_many_answers_give_way_to_the_limit_of_documents():
    prepared = quick.Prepared(exam_of(300, 5_000, relevant=100))
    assert len(prepared.documents) == 1_000
    assert 10 <= len(prepared.queries) < 30  # 100 answers each, some shared


def test_the_cut_hangs_on_ids_and_not_on_the_order_of_the_exam():
    exam = exam_of(300, 5_000)
    turned = Exam(exam.queries[::-1], exam.qrels, exam.documents[::-1], exam.origin)
    one, other = quick.Prepared(exam), quick.Prepared(turned)
    assert [query.id for query in one.queries] == [query.id for query in other.queries]
    assert [document.id for document in one.documents] == [document.id for document in other.documents]


def test_ties_are_broken_by_id(static_model):
    # Ten documents of one text: nine ids come before the relevant one, rank 10: 1 / log2(11)
    documents = [Document(id_, "abc") for id_ in "jihgfedcba"]
    exam = Exam([Query("q", "abc")], {"q": {"j": 1}}, documents, "")
    assert quick.ndcg(load(static_model), exam) == pytest.approx(1 / np.log2(11))


def test_a_query_that_the_model_knows_nothing_of_finds_nothing(hand_made):
    # Every cosine is 0: by id alone the relevant document would be first.
    exam = Exam([Query("q", "unknown")], {"q": {"a": 1}}, [Document("a", "x"), Document("b", "x")], "")
    assert quick.ndcg(hand_made({"x": [1.0, 0.0]}), exam) == 0


def test_queries_without_a_relevant_document_are_left_out(static_model):
    documents = [Document("a", "abc"), Document("b", "xyz")]
    exam = Exam([Query("q", "abc"), Query("r", "abc")], {"q": {"a": 1}, "r": {"a": 0}}, documents, "")
    assert quick.ndcg(load(static_model), exam) == 1
    with pytest.raises(DataError, match="no query has a relevant document"):
        quick.Prepared(Exam(exam.queries, {}, documents, "made up"))


def test_the_prompts_of_the_model_are_used(hand_made):
    # With its prompt the query is `q`, whose vector is that of `right`; without, nothing is known of it.
    model = hand_made({"q": [1.0, 0.0], "right": [1.0, 0.1], "wrong": [0.0, 1.0]})
    exam = Exam([Query("1", "unknown")], {"1": {"b": 1}}, [Document("a", "wrong"), Document("b", "right")], "")
    assert quick.ndcg(model, exam) == 0
    model.prompts = {"query": "q "}
    assert quick.ndcg(model, exam) == 1


def states():
    return torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()


def test_measuring_leaves_the_modes_of_a_training_model_and_all_random_states_as_they_were(tiny_bert):
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    transformer = Transformer(str(tiny_bert))
    model = SentenceTransformer(modules=[transformer, Pooling(transformer.get_embedding_dimension())], device="cpu")
    model.train()
    model[0].auto_model.embeddings.eval()  # as a frozen part is kept
    modes, before = [module.training for module in model.modules()], states()
    prepared = quick.Prepared(exam_of(20, 50))
    once = prepared.ndcg(model)
    assert [module.training for module in model.modules()] == modes
    assert states() == before
    assert prepared.ndcg(model) == once  # no dropout
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_model_that_gives_no_numbers_is_told_and_keeps_its_mode(hand_made):
    model = hand_made({"a": [float("nan"), 0.0]})
    model.train()
    exam = Exam([Query("q", "a")], {"q": {"1": 1}}, [Document("1", "a")], "")
    with pytest.raises(ContractError, match="NaN"):
        quick.ndcg(model, exam)
    assert model.training
