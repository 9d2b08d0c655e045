"""Mining with a second look by a cross-encoder, a tiny one of random weights."""

import pytest
import torch

from core import artifact
from core.distill.mine import run
from core.distill.mine.recipe import Limits, Recipe, Reranker, Window
from core.errors import ContractError, Missing
from core.formats import beir, examples
from core.index import build
from core.index.recipe import Recipe as IndexRecipe
from core.recipe import ArtifactRecipe
from core.retrieval.reranker import open_scorer
from core.retrieval.spec import Bm25
from core.text.spec import Whitespace
from core.types import Document, Query

WORDS = [f"w{n}" for n in range(40)]


@pytest.fixture(scope="module")
def save(tmp_path_factory):
    """Save a BERT of one of transformers' classes, with a tokenizer of `WORDS`."""
    from transformers import BertConfig, BertTokenizerFast

    folder = tmp_path_factory.mktemp("cross")
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]))

    def save(kind, labels=1):
        torch.manual_seed(1)
        config = BertConfig(
            vocab_size=5 + len(WORDS),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
            max_position_embeddings=64,
            num_labels=labels,
            initializer_range=0.5,
        )
        path = folder / f"{kind.__name__}-{labels}"
        kind(config).save_pretrained(path)
        BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(path)
        return str(path)

    return save


@pytest.fixture(scope="module")
def model(save):
    from transformers import BertForSequenceClassification

    return save(BertForSequenceClassification)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Forty documents that all have the word w0, and ten queries that ask for it."""
    home = tmp_path_factory.mktemp("rerank")

    def fill(recipe, work):
        beir.write_documents(work.path, (Document(f"d{n:02}", f"w0 w{n} w{(7 * n) % 40}") for n in range(40)))
        beir.write_queries(work.path, (Query(f"q{n}", f"w0 w{n + 1}") for n in range(10)))
        beir.write_qrels(work.path, "train", {f"q{n}": {f"d{n + 1:02}": 1} for n in range(10)})

    artifact.make(ArtifactRecipe(stage="data", out=home / "data"), fill)
    backend = Bm25(analyzer=Whitespace(type="whitespace"))
    artifact.make(IndexRecipe(stage="index", data=home / "data", out=home / "index", backend=backend), build.run)
    return home


def mine(home, name, **fields):
    fields = {"hard": 3, "easy": 1, "window": Window(skip=0, depth=30), "on_shortage": "fewer"} | fields
    recipe = Recipe(stage="mine", queries=home / "data", index=home / "index", out=home / name, **fields)
    artifact.make(recipe, run.run)
    return list(examples.read(home / name / "train.jsonl")), artifact.read(home / name)


def test_what_the_cross_encoder_puts_above_the_positive_is_no_negative(home, model):
    from sentence_transformers import CrossEncoder

    plain, _ = mine(home, "plain", hard=12)
    rows, manifest = mine(home, "margin", reranker=Reranker(model=model, candidates=12))
    judge = CrossEncoder(model)
    removed = 0
    for before, after in zip(plain, rows, strict=True):
        texts = [p.contents for p in (*before.positives, *before.negatives[:12])]
        own, *others = judge.predict([(before.query, text) for text in texts], show_progress_bar=False).tolist()
        kept = [p.id for p, score in zip(before.negatives, others, strict=False) if score < own][:3]
        assert [p.id for p in after.negatives if p.score is not None] == kept
        assert after.positives[0].score == pytest.approx(own, abs=1e-4)
        removed += sum(score >= own for score in others)
    assert manifest["stats"]["hits"]["removed"]["reranker margin"] == removed > 0


def test_a_score_bound_holds_for_the_cross_encoder(home, model):
    rows, manifest = mine(home, "bound", reranker=Reranker(model=model, limits=Limits(max_score=0.3)))
    scores = [p.score for row in rows for p in row.negatives if p.score is not None]
    assert scores
    assert max(scores) <= 0.3
    assert manifest["stats"]["hits"]["removed"]["reranker max_score"] > 0


def test_a_removed_candidate_is_not_drawn_as_an_easy_one(home, model):
    rows, _ = mine(home, "easy", easy=36, reranker=Reranker(model=model, candidates=30, limits=Limits(max_score=-1)))
    plain, _ = mine(home, "wide", hard=30, easy=0)
    for row, before in zip(rows, plain, strict=True):
        assert not {p.id for p in row.negatives} & {p.id for p in before.negatives}


def test_the_models_files_are_part_of_the_ancestry(home, model):
    _, manifest = mine(home, "ancestry", reranker=Reranker(model=model))
    assert "reranker.model" in manifest["sources"]


def test_an_embedding_model_is_no_cross_encoder(save):
    from transformers import BertModel

    with pytest.raises(ContractError, match="is no cross-encoder: BertModel has no layer that scores a pair"):
        open_scorer(Reranker(model=save(BertModel)))


def test_a_classifier_of_three_labels_is_refused(save):
    from transformers import BertForSequenceClassification

    with pytest.raises(ContractError, match="has 3 labels, a score needs one"):
        open_scorer(Reranker(model=save(BertForSequenceClassification, labels=3)))


def test_a_model_that_is_not_there_is_a_sentence(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(Missing, match="cannot be loaded"):
        open_scorer(Reranker(model=str(tmp_path / "empty")))


def test_long_pairs_are_cut_where_the_recipe_says_so(model):
    pairs = [("w1", " ".join(WORDS[:30])), ("w1", " ".join(WORDS[:3] + WORDS[10:30]))]
    whole = open_scorer(Reranker(model=model)).scores(pairs)
    cut = open_scorer(Reranker(model=model, max_tokens=6)).scores(pairs)
    assert whole[0] != pytest.approx(whole[1], abs=1e-6)
    assert cut[0] == pytest.approx(cut[1], abs=1e-6)
