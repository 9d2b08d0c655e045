import json
import random

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from core.artifact import Work
from core.embed import train
from core.embed.fit import run as fitting
from core.embed.models import build
from core.embed.models.spec import Static
from core.embed.recipe import Recipe
from core.embed.rows.read import read
from core.embed.rows.spec import Shares
from core.errors import DataError, DrError, GateFailed
from core.formats import beir
from core.retrieval.encoder import open_encoder
from core.retrieval.spec import Dense
from core.types import Document

SMALL = {
    "model": {"type": "static", "dimension": 64, "vocabulary": 2_000},
    "machine": {"device": "cpu"},
    "min_steps": 8,
    "batch_size": 64,
}


def recipe_for(corpus, **changes):
    rows = {"type": "documents", "data": str(corpus)}
    return Recipe.model_validate({"stage": "embed", "train": rows, "out": "unused"} | SMALL | changes)


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


def test_the_artifact_holds_the_best_model_and_every_kept_checkpoint_without_the_trainers_state(work):
    checkpoints = {path.name: path for path in (work.path / "checkpoints").glob("checkpoint-*")}
    assert set(checkpoints) == {"checkpoint-3", "checkpoint-6", "checkpoint-8"}  # 220 rows: 3 steps an epoch
    scores = {name: json.loads((path / "measured.json").read_text()) for name, path in checkpoints.items()}
    best = min(scores, key=lambda name: scores[name]["val_loss"])
    assert work.stats["best_step"] == scores[best]["step"]
    weights = [place / "model.safetensors" for place in (work.path / "model", checkpoints[best])]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    for path in (*checkpoints.values(), work.path / "model"):
        SentenceTransformer(str(path), device="cpu").encode(["shop"])
        assert not list(path.glob("*.pt*"))
    assert not (work.path / "model/measured.json").exists()


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
    lines = (work.path / "held_out.jsonl").read_text().splitlines()
    held = {document for line in lines for document in json.loads(line)["documents"]}
    pieces = SentenceTransformer(str(work.path / "model"), device="cpu").tokenizer.get_vocab().keys()
    assert len(held) == 20
    assert words & pieces == words - held


def nearness(model, pairs):
    """Mean cosine of the pairs."""
    return float(np.mean([model.similarity(*model.encode(list(pair))[:, None]) for pair in pairs]))


def test_the_first_vectors_bring_synonyms_close_though_they_never_meet(documents, synonyms, strangers):
    torch.manual_seed(0)
    texts = [document.contents for document in documents]
    model = build.build(Static(dimension=64, vocabulary=2_000), texts, "cpu")
    assert nearness(model, synonyms) > 0.7
    assert nearness(model, strangers) < 0.2


def test_training_brings_synonyms_close_from_random_vectors(corpus, work, synonyms, strangers, tmp_path):
    # The model of another training with random vectors in the place of what it learnt.
    model = SentenceTransformer(str(work.path / "model"), device="cpu")
    torch.manual_seed(0)
    torch.nn.init.normal_(model[0].embedding.weight)
    model.save(str(tmp_path / "random"), create_model_card=False)
    assert abs(nearness(model, synonyms)) < 0.1
    changes = {
        "model": {"type": "pretrained", "name": str(tmp_path / "random")},
        "min_steps": 60,
        "learning_rate": 0.3,
        "loss": {"type": "infonce", "temperature": 0.2},
        "checkpoints": {"save_every": 60},
    }
    recipe = recipe_for(corpus, **changes)
    fitting.run(recipe, read(recipe), tmp_path)
    model = SentenceTransformer(str(tmp_path / "checkpoints/checkpoint-60"), device="cpu")
    assert nearness(model, synonyms) > 0.3
    assert abs(nearness(model, strangers)) < 0.1
    rows = [json.loads(line)["values"] for line in (tmp_path / "logs/metrics.jsonl").read_text().splitlines()]
    losses = [row["train/loss"] for row in rows if "train/loss" in row]
    assert losses[-1] < losses[0] / 2


def test_the_report_measures_all_three_against_bm25(work):
    report = json.loads((work.path / "report.json").read_text())
    assert report["queries"] == 20
    assert report["documents"] == 240  # 20 held out + 220 trained on
    # A question's words stand once in its document and are cut out of the answer: words alone cannot find it.
    assert report["ndcg@10"]["bm25"] == 0
    for method in ("dense", "hybrid"):
        assert 0 < report["ndcg@10"][method] <= report["hit@10"][method] <= 1
        compared = report["against_bm25"][method]
        assert compared["mean_b"] == pytest.approx(report["ndcg@10"][method])
        assert compared["low"] <= compared["difference"] <= compared["high"]
        assert f"{compared['mean_b']:.3f}" in report["verdict"]


def test_the_facts_are_told(work):
    assert work.stats["documents"] == 240
    assert work.stats["training_documents"] + work.stats["held_out_documents"] == 240
    assert work.stats["steps"] == 8
    assert work.stats["gate"] == "none"
    assert work.stats["vocabulary"] == len(
        SentenceTransformer(str(work.path / "model"), device="cpu").tokenizer.get_vocab()
    )


def test_no_epoch_keeps_the_first_vectors(corpus, tmp_path):
    work = trained(corpus, tmp_path / "model", epochs=0)
    torch.manual_seed(0)
    first = build.build(Static(dimension=64, vocabulary=2_000), read(recipe_for(corpus)).texts, "cpu")
    assert np.array_equal(vectors(work, ["shop"]), first.encode(["shop"]))
    assert work.stats["steps"] == 0


def test_a_loss_that_is_no_number_is_told_before_the_first_step(corpus, tmp_path):
    with pytest.raises(DrError, match="the loss is nan at step 0") as raised:
        # cosines are divided by 1e-39, which leaves the range of float32: infinity minus infinity
        trained(corpus, tmp_path / "model", loss={"type": "infonce", "temperature": 1e-39})
    assert "learning_rate=0.0002" in raised.value.hint


def test_a_corpus_too_small_leaves_nothing_behind(tmp_path):
    beir.write_documents(tmp_path, [Document("d1", "one two three four five six seven eight")])
    with pytest.raises(DataError, match="1 of its 1 documents"):
        trained(tmp_path, tmp_path / "model")
    assert not list((tmp_path / "model").iterdir())


def test_pairs_without_crops_are_refused():
    with pytest.raises(ValueError, match="`crops` is 0"):
        Shares(crops=0, titles=1)


@pytest.fixture(scope="module")
def further(corpus, work, tmp_path_factory):
    """A training that goes on with the model of another one."""
    folder = tmp_path_factory.mktemp("embed") / "further"
    return trained(corpus, folder, model={"type": "pretrained", "name": str(work.path / "model")})


def test_a_model_that_exists_is_held_against_itself_before_training(further):
    report = json.loads((further.path / "report.json").read_text())
    assert set(report["ndcg@10"]) == {"bm25", "dense", "hybrid", "base_dense", "base_hybrid"}
    assert report["gate"] == further.stats["gate"] == "passed"
    assert not (further.path / train.BASE).exists()


def test_a_training_whose_proof_was_killed_does_not_train_again(further, corpus, work):
    before = {path: path.stat().st_mtime_ns for path in (further.path / "checkpoints").rglob("*")}
    metrics = (further.path / "logs/metrics.jsonl").read_bytes()
    report = (further.path / "report.json").read_bytes()
    (further.path / "report.json").unlink()
    for place in ("model", train.BASE):
        (further.path / place).mkdir(exist_ok=True)
        (further.path / place / "model.safetensors").write_bytes(b"half a copy")
    again = Work(further.path)
    train.run(recipe_for(corpus, model={"type": "pretrained", "name": str(work.path / "model")}), again)
    assert {path: path.stat().st_mtime_ns for path in (further.path / "checkpoints").rglob("*")} == before
    assert (further.path / "logs/metrics.jsonl").read_bytes() == metrics
    assert (further.path / "report.json").read_bytes() == report
    assert again.stats == further.stats
    assert not (further.path / train.BASE).exists()


def test_a_model_made_worse_fails_the_gate_and_stays(corpus, work, tmp_path):
    changes = {"model": {"type": "pretrained", "name": str(work.path / "model")}, "learning_rate": 1.0, "canary": None}
    worse = trained(corpus, tmp_path / "worse", **changes)
    assert worse.stats["gate"] == "failed"
    with pytest.raises(GateFailed, match="significantly worse than its base"):
        train.gate(recipe_for(corpus, **changes, out=str(worse.path)))
    train.gate(recipe_for(corpus, **changes, out=str(worse.path), proof={"gate": None}))
    vectors(worse, ["shop"])
