import json
import random
from itertools import islice

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding

from core.artifact import Work
from core.embed import contrastive, held_out, static, train
from core.embed.recipe import Pairs, Recipe, Static
from core.errors import DataError, DrError
from core.formats import beir
from core.retrieval.encoder import open_encoder
from core.retrieval.spec import Dense
from core.tracking import open_tracker
from core.types import Document

SMALL = {"model": Static(dimension=64, vocabulary=2_000), "min_steps": 8, "batch_size": 64}


def recipe_for(corpus, **changes):
    return Recipe(stage="embed", data=corpus, out="unused", **{**SMALL, **changes})


def trained(corpus, folder, **changes):
    folder.mkdir()
    work = Work(folder)
    train.run(recipe_for(corpus, **changes), work)
    return work


@pytest.fixture(scope="module")
def work(corpus, tmp_path_factory):
    return trained(corpus, tmp_path_factory.mktemp("embed") / "a")


def vectors(work, texts):
    return SentenceTransformer(str(work.path / "model"), device="cpu").encode(texts)


def test_the_same_seed_gives_the_same_model(work, corpus, tmp_path):
    again, other = trained(corpus, tmp_path / "again"), trained(corpus, tmp_path / "other", seed=1)
    weights = [(w.path / "model/model.safetensors").read_bytes() for w in (work, again, other)]
    assert weights[0] == weights[1]
    assert weights[0] != weights[2]
    assert (work.path / "report.json").read_text() == (again.path / "report.json").read_text()


def test_plain_sentence_transformers_loads_the_model(work, documents):
    model = SentenceTransformer(str(work.path / "model"), device="cpu")
    assert model.prompts == {"query": "", "document": ""}
    assert model.similarity_fn_name == "cosine"
    texts = [document.contents for document in documents[:5]]
    ours = open_encoder(Dense(type="dense", model=str(work.path / "model"))).documents(texts)
    plain = model.encode(texts)
    assert ours == pytest.approx(plain / np.linalg.norm(plain, axis=1, keepdims=True), abs=1e-6)


def test_a_loaded_model_gives_the_vectors_of_the_one_that_was_saved(documents, tmp_path):
    model = static.build(Static(dimension=32, vocabulary=2_000), documents)
    texts = [document.contents for document in documents[:5]]
    before = model.encode(texts)
    model.save(str(tmp_path / "model"), create_model_card=False)
    assert np.array_equal(SentenceTransformer(str(tmp_path / "model"), device="cpu").encode(texts), before)


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    """A corpus in which each document says twice a word that no other has."""
    rng = random.Random(5)
    words = ["".join(rng.choices("bcdfghklmnprstvz", k=9)) for _ in range(80)]
    folder = tmp_path_factory.mktemp("marked")
    texts = (f"{word} is sold by the shop, and the shop is glad of {word}" for word in words)
    beir.write_documents(folder, (Document(word, text) for word, text in zip(words, texts, strict=True)))
    return folder


def test_the_model_never_saw_what_is_held_out(marked, tmp_path):
    work = trained(marked, tmp_path / "model")
    words = {document.id for document in beir.read_documents(marked)}
    held = {json.loads(line)["document_id"] for line in (work.path / "held_out.jsonl").read_text().splitlines()}
    pieces = SentenceTransformer(str(work.path / "model"), device="cpu").tokenizer.get_vocab().keys()
    assert len(held) == 20
    assert words & pieces == words - held


def test_a_batch_holds_each_document_once_and_none_that_is_held_out(documents):
    sides = held_out.split(documents, 0.5, random.Random(0))
    batches = list(islice(contrastive._batches(sides.training, {}, recipe_for("x", batch_size=50)), 10))
    for batch in batches:
        assert len({pair.document_id for pair in batch}) == 50
    seen = {pair.document_id for batch in batches for pair in batch}
    assert seen == {document.id for document in sides.training}


def nearness(model, pairs):
    """Mean cosine of the pairs."""
    return float(np.mean([model.similarity(*model.encode(list(pair))[:, None]) for pair in pairs]))


def test_the_first_vectors_bring_synonyms_close_though_they_never_meet(documents, synonyms, strangers):
    torch.manual_seed(0)
    model = static.build(Static(dimension=64, vocabulary=2_000), documents)
    assert nearness(model, synonyms) > 0.7
    assert nearness(model, strangers) < 0.2


def test_contrastive_training_brings_synonyms_close_from_random_vectors(documents, synonyms, strangers, tmp_path):
    torch.manual_seed(0)
    pieces = static.build(Static(dimension=8, vocabulary=2_000), documents).tokenizer
    model = SentenceTransformer(modules=[StaticEmbedding(pieces, embedding_dim=64)], device="cpu")
    assert abs(nearness(model, synonyms)) < 0.1
    recipe = recipe_for("x", min_steps=60, learning_rate=0.3, temperature=0.2)
    with open_tracker(recipe.tracking, tmp_path, {}) as tracker:
        contrastive.train(model, documents, {}, recipe, tracker)
    assert nearness(model, synonyms) > 0.3
    assert abs(nearness(model, strangers)) < 0.1
    rows = [json.loads(line)["values"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["train/loss"] < rows[0]["train/loss"] / 2


def test_the_report_measures_all_three_against_bm25(work):
    report = json.loads((work.path / "report.json").read_text())
    assert report["questions"] == 20
    assert report["documents"] == 240  # 20 held out + 220 trained on, fewer than 5,000
    # A question's words stand once in its document and are cut out of the answer: words alone cannot find it.
    assert report["ndcg@10"]["bm25"] == 0
    for method in ("dense", "hybrid"):
        assert 0 < report["ndcg@10"][method] <= report["hit@10"][method] <= 1
    for method in ("dense", "hybrid"):
        compared = report["against_bm25"][method]
        assert compared["mean_b"] == pytest.approx(report["ndcg@10"][method])
        assert compared["low"] <= compared["difference"] <= compared["high"]
        assert f"{compared['mean_b']:.3f}" in report["verdict"]


def test_the_facts_are_told(work):
    assert work.stats["documents"] == 240
    assert work.stats["training_documents"] + work.stats["held_out_documents"] == 240
    assert work.stats["steps"] == 8
    assert len((work.logs / "metrics.jsonl").read_text().splitlines()) == 3  # steps 1, 5 and the last


@pytest.mark.parametrize(
    ("num_documents", "changes", "steps"),
    [
        (6_400, {}, 2 * 100),
        (6_463, {}, 2 * 100),  # the last 63 documents of an epoch fill no batch
        (100, {}, 8),
        (100, {"min_steps": 0}, 2),
        (100, {"epochs": 0}, 0),
    ],
)
def test_a_small_corpus_gets_more_epochs(num_documents, changes, steps):
    assert contrastive.num_steps(num_documents, recipe_for("x", **changes)) == steps


def test_the_learning_rate_rises_and_falls():
    # 20 steps: up over 2, then down over 18
    assert [contrastive._rate(step, 20) for step in (0, 1, 2, 11, 19)] == [0.5, 1, 1, 0.5, 1 / 18]


def test_no_epoch_keeps_the_first_vectors(corpus, tmp_path):
    work = trained(corpus, tmp_path / "model", epochs=0)
    torch.manual_seed(0)
    sides = held_out.split(beir.read_documents(corpus), 0.05, random.Random("0/held out"))
    first = static.build(SMALL["model"], sides.training)
    assert np.array_equal(vectors(work, ["shop"]), first.encode(["shop"]))


def test_a_loss_that_is_no_number_stops_the_training(corpus, tmp_path):
    with pytest.raises(DrError, match="the loss is nan at step 1") as raised:
        # cosines are divided by 1e-39, which leaves the range of float32: infinity minus infinity
        trained(corpus, tmp_path / "model", temperature=1e-39)
    assert "learning_rate=0.0002" in raised.value.hint


def test_a_corpus_too_small_leaves_nothing_behind(tmp_path):
    beir.write_documents(tmp_path, [Document("d1", "one two three four five six seven eight")])
    with pytest.raises(DataError, match="1 of its 1 documents"):
        trained(tmp_path, tmp_path / "model")
    assert not list((tmp_path / "model").iterdir())


def test_pairs_without_crops_are_refused():
    with pytest.raises(ValueError, match="`crops` is 0"):
        Pairs(crops=0, titles=1)
