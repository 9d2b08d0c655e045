"""Texts become vectors: in order, once each, resumed after a kill, the same that index and plain library give."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Literal

import faiss
import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer, models, pre_tokenizers

from core import artifact
from core.embed.encode.recipe import Recipe
from core.embed.encode.run import run
from core.errors import ContractError, DataError, Missing
from core.formats import beir
from core.recipe import ArtifactRecipe
from core.retrieval import index
from core.retrieval.spec import Dense
from core.types import Document, Query

ROOT = Path(__file__).parents[4]
DOCUMENTS = [Document(f"d{n}", "基金 fund " * (7 * n % 13), title=f"title {n}") for n in range(40)]
QUERIES = [Query("q1", "fund fees"), Query("q2", "净值")]


class Corpus(ArtifactRecipe):
    """Stands in for the recipe of a corpus."""

    stage: Literal["data"] = "data"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    out = tmp_path_factory.mktemp("corpus") / "data"

    def make(_, work):
        beir.write_documents(work.path, DOCUMENTS)
        beir.write_queries(work.path, QUERIES)

    artifact.make(Corpus(out=out), make)
    return out


@pytest.fixture(scope="module")
def model(static_model, tmp_path_factory):
    """A model with a prompt for queries."""
    model = SentenceTransformer(str(static_model))
    model.prompts = {"query": "ask 9: ", "document": ""}
    folder = tmp_path_factory.mktemp("prompted") / "model"
    model.save(str(folder))
    return folder


def encode(out, model, texts, kind="documents", **options):
    recipe = Recipe(stage="encode", model=str(model), texts=texts, kind=kind, out=out, **options)
    artifact.make(recipe, run)
    return np.load(out / "vectors.npy"), (out / "ids.txt").read_text().splitlines()


def plain(model, texts, prompt_name):
    return SentenceTransformer(str(model)).encode(texts, prompt_name=prompt_name, normalize_embeddings=True)


@pytest.mark.parametrize("shard_size", [1, 7, 40, 100])
def test_each_document_has_one_vector_at_its_place_whatever_the_shards(corpus, model, tmp_path, shard_size):
    vectors, ids = encode(
        tmp_path / "out", model, {"type": "corpus", "data": corpus}, shard_size=shard_size, batch_size=3
    )
    assert ids == [document.id for document in DOCUMENTS]
    assert vectors.dtype == np.float32
    assert vectors == pytest.approx(plain(model, [d.contents for d in DOCUMENTS], "document"), abs=1e-6)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"vectors.npy", "ids.txt", "contract.json", "manifest.json"}


def test_queries_get_the_prompt_of_the_model(corpus, model, tmp_path):
    vectors, ids = encode(tmp_path / "out", model, {"type": "corpus", "data": corpus}, "queries")
    assert ids == ["q1", "q2"]
    assert vectors == pytest.approx(plain(model, [query.text for query in QUERIES], "query"), abs=1e-6)
    contract = json.loads((tmp_path / "out/contract.json").read_text())
    assert (contract["query_prompt"], contract["kind"]) == ("ask 9: ", "queries")


def test_files_of_the_users_own_are_read(model, tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"id": "a", "title": "one", "text": "two"}\n{"id": 7, "contents": "fund"}\n')
    vectors, ids = encode(tmp_path / "rows", model, {"type": "jsonl", "path": tmp_path / "rows.jsonl"})
    assert ids == ["a", "7"]
    assert vectors == pytest.approx(plain(model, ["one\ntwo", "fund"], "document"), abs=1e-6)
    (tmp_path / "lines.txt").write_text("fund\n\n净值\r\n", encoding="utf-8")
    vectors, ids = encode(tmp_path / "lines", model, {"type": "lines", "path": tmp_path / "lines.txt"}, "queries")
    assert ids == ["1", "3"]
    assert vectors == pytest.approx(plain(model, ["fund", "净值"], "query"), abs=1e-6)


def test_a_bad_row_is_told_with_its_line_before_anything_is_encoded(model, tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"id": "a", "text": "one"}\n{"id": "b"}\n')
    with pytest.raises(DataError) as bad:
        encode(tmp_path / "out", model, {"type": "jsonl", "path": tmp_path / "rows.jsonl"}, shard_size=1)
    assert bad.value.where.endswith("rows.jsonl:2")
    assert {path.name for path in tmp_path.iterdir()} == {"rows.jsonl"}


def test_a_line_that_is_not_utf8_is_told(model, tmp_path):
    (tmp_path / "lines.txt").write_bytes(b"fund\n\xff\xfe\xfa\n")
    with pytest.raises(DataError, match="UTF-8") as bad:
        encode(tmp_path / "out", model, {"type": "lines", "path": tmp_path / "lines.txt"})
    assert bad.value.where.endswith("lines.txt:2")


def test_a_model_that_is_not_there_is_a_sentence(corpus, tmp_path):
    with pytest.raises(Missing, match="no folder"):
        encode(tmp_path / "out", tmp_path / "nothing", {"type": "corpus", "data": corpus})


def test_a_text_has_the_same_vector_encoded_indexed_and_plain(corpus, model, tmp_path):
    vectors, ids = encode(tmp_path / "out", model, {"type": "corpus", "data": corpus}, shard_size=7)
    index.build(beir.read_documents(corpus), Dense(type="dense", model=str(model)), tmp_path / "index")
    opened = index.open_index(tmp_path / "index")
    stored = faiss.read_index(str(tmp_path / "index/dense/vectors.faiss"))
    order = [ids.index(document.id) for document in opened.store]
    indexed = stored.reconstruct_n(0, len(ids))
    assert (indexed * vectors[order]).sum(1) == pytest.approx(1, abs=1e-5)
    asked, _ = encode(tmp_path / "asked", model, {"type": "corpus", "data": corpus}, "queries")
    hits = opened.search([query.text for query in QUERIES], 5)
    for vector, found in zip(asked, hits, strict=True):
        scores = [float(vectors[ids.index(hit.document_id)] @ vector) for hit in found]
        assert [hit.score for hit in found] == pytest.approx(scores, abs=1e-5)


RECIPE = """\
stage: encode
model: {model}
texts: {{type: lines, path: {texts}}}
kind: documents
shard_size: 500
batch_size: 1
out: {out}
"""


def start(recipe):
    code = (
        "import sys; from pathlib import Path; from core import artifact; from core.recipe import load;"
        "from core.embed.encode.recipe import Recipe; from core.embed.encode.run import run;"
        "artifact.make(load(Path(sys.argv[1]), Recipe, []), run)"
    )
    return subprocess.Popen([sys.executable, "-c", code, str(recipe)], env={**os.environ, "PYTHONPATH": str(ROOT)})


@pytest.mark.slow
def test_a_killed_encoding_goes_on_after_its_last_whole_shard(model, tmp_path):
    lines = [f"fund {n} 净值" for n in range(30_000)]
    (tmp_path / "lines.txt").write_text("\n".join(lines), encoding="utf-8")
    recipe = tmp_path / "encode.yaml"
    recipe.write_text(RECIPE.format(model=model, texts=tmp_path / "lines.txt", out=tmp_path / "out"))
    child = start(recipe)
    shards = tmp_path / "out.partial/shards"
    deadline = time.monotonic() + 120
    while len(list(shards.glob("*.npy"))) < 3:
        assert child.poll() is None, "it ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not (tmp_path / "out").exists()
    done = {path.name: path.stat().st_mtime_ns for path in shards.glob("*.npy")}
    second = start(recipe)
    seen = {}
    while second.poll() is None:
        seen |= {path.name: made for path in shards.glob("*.npy") if (made := stamp(path)) is not None}
        time.sleep(0.01)
    assert second.returncode == 0
    assert {name: seen[name] for name in done} == done  # they were not made a second time
    vectors, ids = np.load(tmp_path / "out/vectors.npy"), (tmp_path / "out/ids.txt").read_text().splitlines()
    assert ids == [str(n + 1) for n in range(len(lines))]
    assert vectors == pytest.approx(plain(model, lines, "document"), abs=1e-6)


def stamp(path):
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:  # joined meanwhile
        return None


def test_unfinished_work_of_another_model_is_not_gone_on_with(corpus, model, static_model, tmp_path):
    work = artifact.Work(tmp_path)
    recipe = Recipe(
        stage="encode",
        model=str(model),
        texts={"type": "corpus", "data": corpus},
        kind="documents",
        out=tmp_path / "out",
    )
    run(recipe, work)
    with pytest.raises(ContractError, match="not the one that this was begun with"):
        run(recipe.model_copy(update={"model": str(static_model)}), work)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_vectors(tmp_path):
    # Vectors of 60,000 texts are 60,000 · 1,024 · 4 = 246 MB, those of 2,000 texts 8 MB.
    model = tmp_path / "model"
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "fund": 1}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    table = np.random.default_rng(0).normal(size=(2, 1024)).astype(np.float32)
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=table)], device="cpu").save(str(model))
    used = {}
    for count in (2_000, 60_000):
        (tmp_path / f"{count}.txt").write_text("fund\n" * count)
        code = (
            "import sys, resource; from pathlib import Path; from core import artifact;"
            "from core.embed.encode.recipe import Recipe; from core.embed.encode.run import run;"
            "texts = {'type': 'lines', 'path': sys.argv[2]};"
            "recipe = Recipe(stage='encode', model=sys.argv[1], texts=texts, kind='documents', shard_size=1000,"
            " batch_size=500, out=sys.argv[3]);"
            "artifact.make(recipe, run); print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        argv = [sys.executable, "-c", code, str(model), str(tmp_path / f"{count}.txt"), str(tmp_path / f"out{count}")]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        used[count] = int(done.stdout.split()[-1]) / 1024
    assert np.load(tmp_path / "out60000/vectors.npy", mmap_mode="r").shape == (60_000, 1024)
    assert used[60_000] - used[2_000] < 80, used
