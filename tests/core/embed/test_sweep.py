import functools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

from cli import embedding
from core import artifact
from core.embed import sweep, train
from core.embed.proof import graded, quick
from core.embed.recipe import Recipe
from core.embed.rows.read import read
from core.errors import ArtifactError, RecipeError, UsageError
from core.retrieval.checkpoints import found


@pytest.fixture(scope="module")
def files(documents, themes, tmp_path_factory):
    """Questions of two words with the documents that answer them, and graded pairs."""
    home = tmp_path_factory.mktemp("rows")
    questions = [(f"{theme[2]} {theme[3]}", documents[4 * number]) for number, theme in enumerate(themes)]
    lines = [{"query": query, "positives": [{"text": document.text}]} for query, document in questions]
    (home / "examples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    pairs = [
        {"query": query, "document": documents[(4 * number + off) % 240].text, "rel": rel, "weight": 1.0}
        for number, (query, _) in enumerate(questions)
        for off, rel in [(0, 1.0), (1, 0.6), (9, 0.0)]
    ]
    (home / "graded.jsonl").write_text("".join(json.dumps(line) + "\n" for line in pairs))
    return home


@pytest.fixture(scope="module")
def trained(files, tiny_bert, tmp_path_factory):
    """`trained(kind)`: the recipe of a finished training with a checkpoint for each of two epochs."""
    kinds = {
        "examples": {"train": {"type": "examples", "path": str(files / "examples.jsonl")}},
        "graded": {
            "train": {"type": "graded", "train": str(files / "graded.jsonl")},
            "loss": {"type": "weighted_mse"},
        },
    }
    made = {}

    def make(kind):
        if kind not in made:
            fields = {
                "stage": "embed",
                "out": str(tmp_path_factory.mktemp("trained") / kind),
                "model": {"type": "pretrained", "name": str(tiny_bert), "pooling": "mean", "max_tokens": 32},
                "epochs": 2,
                "min_steps": 0,
                "batch_size": 16,
                "learning_rate": 1e-3,
                "machine": {"device": "cpu"},
                "canary": None,
            }
            recipe = Recipe.model_validate(fields | kinds[kind])
            artifact.make(recipe, train.run)
            made[kind] = recipe
        return made[kind]

    return make


@pytest.fixture(scope="module")
def swept(trained):
    """`swept(kind)`: what all checkpoints of that training score."""
    return functools.cache(lambda kind: sweep.run(trained(kind)))


def contents(folder):
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")}


@pytest.mark.parametrize("kind", ["examples", "graded"])
def test_every_checkpoint_scores_what_it_scored_in_the_training_and_nothing_is_written(trained, kind, caplog):
    recipe = trained(kind)
    before = contents(recipe.out)
    swept = sweep.run(recipe)
    checkpoints = found(recipe.out / "checkpoints")
    assert [each.step for each in swept.checkpoints] == [each.step for each in checkpoints]
    assert len(checkpoints) == 2
    for now, then in zip(swept.checkpoints, checkpoints, strict=True):
        for name, score in then.measured.items():
            assert now.scores[name] == pytest.approx(score, abs=1e-5), name
    assert contents(recipe.out) == before
    assert "lost something" not in caplog.text


def test_the_exam_is_asked_of_the_model_as_anyone_loads_it(trained, swept):
    exam = read(trained("examples")).exam
    for each in swept("examples").checkpoints:
        model = SentenceTransformer(str(each.path), device="cpu")
        assert each.scores["ndcg@10"] == pytest.approx(quick.ndcg(model, exam))


def test_graded_pairs_have_all_their_measures(trained, swept):
    recipe, last = trained("graded"), swept("graded").checkpoints[-1]
    assert {"val_loss", "ndcg@1", "ndcg@5", "ndcg@10", "mrr", "map"} == last.scores.keys()
    model = SentenceTransformer(str(last.path), device="cpu")
    assert last.scores["ndcg@5"] == pytest.approx(graded.Prepared(read(recipe).graded).ndcg(model, k=5))


def test_the_best_by_each_measure_is_named(swept):
    for name, best in swept("graded").best.items():
        scores = {each.name: each.scores[name] for each in swept("graded").checkpoints}
        assert scores[best] == (min if name == "val_loss" else max)(scores.values())


def test_one_checkpoint_is_named_by_path_or_by_name(trained, swept):
    recipe, first = trained("examples"), swept("examples").checkpoints[0]
    for named in (first.path, Path(first.name)):
        (only,) = sweep.run(recipe, named).checkpoints
        assert (only.path, only.scores) == (first.path, first.scores)


def test_a_path_that_is_no_checkpoint_of_the_training_is_refused_with_those_there_are(trained, tmp_path):
    recipe, other = trained("examples"), trained("graded")
    with pytest.raises(UsageError, match="does not exist") as raised:
        sweep.run(recipe, tmp_path / "checkpoint-7")
    assert all(each.path.name in raised.value.hint for each in found(recipe.out / "checkpoints"))
    with pytest.raises(UsageError, match="is no whole checkpoint of this training"):
        sweep.run(recipe, found(other.out / "checkpoints")[0].path)


def killed(recipe, home):
    """The same training as if it had been killed: its recipe, and its `.partial`."""
    partial = home / "killed.partial"
    shutil.copytree(recipe.out, partial)
    (partial / artifact.MANIFEST).rename(partial / artifact.CLAIM)
    return recipe.model_copy(update={"out": home / "killed"}), partial


@pytest.fixture
def unfinished(trained, tmp_path):
    return killed(trained("examples"), tmp_path)


def test_an_unfinished_training_is_evaluated_too(unfinished, swept):
    recipe, _ = unfinished
    assert [e.scores for e in sweep.run(recipe).checkpoints] == [e.scores for e in swept("examples").checkpoints]


def test_a_save_that_lost_something_shows(unfinished, caplog):
    recipe, partial = unfinished
    for each in found(partial / "checkpoints"):
        settings = json.loads((each.path / "1_Pooling/config.json").read_text())
        settings["pooling_mode"] = "cls"
        (each.path / "1_Pooling/config.json").write_text(json.dumps(settings))
    sweep.run(recipe)
    assert caplog.text.count("lost something") == 2


def static(folder, vectors, prompts):
    """Put a model that gives a text the mean of its words' vectors in the place of a checkpoint's."""
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(vectors)}, unk_token="."))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[ .]"), "removed")
    weights = np.array(list(vectors.values()), np.float32)
    for path in folder.iterdir():
        if path.name.startswith(("1_", "model", "modules")):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    module = StaticEmbedding(tokenizer, embedding_weights=weights)
    SentenceTransformer(modules=[module], prompts=prompts, device="cpu").save(str(folder), create_model_card=False)


def test_measures_that_disagree_are_told(trained, tmp_path, themes, caplog):
    recipe, partial = killed(trained("graded"), tmp_path)
    blind, sharp = found(partial / "checkpoints")
    words = [".", *(word for theme in themes for word in theme)]
    rng = np.random.default_rng(0)
    # One vector for all: every cosine is 1, and no document is before another.
    static(blind.path, dict.fromkeys(words, np.eye(400)[0]), {})
    # A vector of length 1 a word, so texts that share words are near; but a prompt keeps queries far from documents.
    far = {"Q": 9 * np.eye(400)[0], "D": -9 * np.eye(400)[0]}
    static(sharp.path, {word: rng.normal(size=400) / 20 for word in words} | far, {"query": "Q ", "document": "D "})
    best = sweep.run(recipe).best
    assert (best["val_loss"], best["ndcg@10"]) == (blind.path.name, sharp.path.name)
    assert "to take that one: checkpoints.select_by=ndcg@10" in caplog.text


def test_a_checkpoint_that_cannot_be_loaded_is_told(unfinished):
    recipe, partial = unfinished
    first = found(partial / "checkpoints")[0]
    (first.path / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(ArtifactError, match="cannot be loaded") as raised:
        sweep.run(recipe)
    assert raised.value.where == str(first.path)


def test_a_training_that_is_not_there_and_one_without_a_checkpoint_are_told(unfinished, tmp_path):
    recipe, partial = unfinished
    with pytest.raises(ArtifactError, match="no training to evaluate"):
        sweep.run(recipe.model_copy(update={"out": tmp_path / "nowhere"}))
    shutil.rmtree(partial / "checkpoints")
    with pytest.raises(ArtifactError, match="no checkpoint yet"):
        sweep.run(recipe)


def test_another_recipe_is_refused_because_it_holds_out_other_rows(trained):
    recipe = trained("examples")
    with pytest.raises(ArtifactError, match="seed: 0 → 1"):
        sweep.run(recipe.model_copy(update={"seed": 1}))
    proof = recipe.proof.model_copy(update={"limit": 2})
    assert sweep.run(recipe.model_copy(update={"proof": proof})).checkpoints


@pytest.fixture
def recipe_file(trained, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(json.dumps(trained("examples").model_dump(mode="json")))
    return path


def test_the_command_prints_a_row_for_each_checkpoint_and_the_best(recipe_file, trained, capsys):
    embedding.evaluate(recipe_file, [], None, as_json=False)
    out = capsys.readouterr().out
    header, _, *rows = out.splitlines()
    assert header.split()[:3] == ["checkpoint", "val_loss", "ndcg@10"]
    assert [row.split()[0] for row in rows[:2]] == [e.path.name for e in found(trained("examples").out / "checkpoints")]
    assert "best by val_loss, as the recipe chooses: checkpoint-" in out


def test_the_command_gives_the_same_as_json(recipe_file, swept, capsys):
    embedding.evaluate(recipe_file, [], None, as_json=True)
    printed = json.loads(capsys.readouterr().out)
    expected = swept("examples").as_dict()
    assert {name: printed[name] for name in expected} == expected
    assert printed["schema_version"] == 1


def test_one_checkpoint_has_no_rivals(recipe_file, trained, capsys):
    embedding.evaluate(recipe_file, [], found(trained("examples").out / "checkpoints")[0].path, as_json=False)
    assert "best" not in capsys.readouterr().out


def test_a_recipe_of_another_stage_is_refused(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("stage: index\n")
    with pytest.raises(RecipeError, match="this recipe is for `dr index build`"):
        embedding.evaluate(path, [], None, as_json=False)
