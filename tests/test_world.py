"""The shipped world is what its program makes, and is hard where it should be."""

import gzip
import random
import runpy
from pathlib import Path

import pytest

from core import artifact
from core.data import build as data_build
from core.data.recipe import Recipe as DataRecipe
from core.formats import beir
from core.index import build as index_build
from core.index.recipe import Recipe as IndexRecipe
from core.measure import recall
from core.retrieval.index import open_index

ROOT = Path(__file__).parents[1]
WORLD = runpy.run_path(str(ROOT / "tests/world.py"))
FOLDER = ROOT / "recipes/sample/world"


def shipped(name):
    content = (FOLDER / name).read_bytes()
    return (gzip.decompress(content) if name.endswith(".gz") else content).decode()


def test_the_shipped_files_are_what_the_program_makes():
    made = WORLD["files"]()
    assert made == {name: shipped(name) for name in made}
    there = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.is_file()}
    assert there == {*made, "README.md", "prompts/user.txt"}


def test_it_is_small():
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 250_000


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    home = tmp_path_factory.mktemp("world")
    recipe = {"stage": "data", "out": home / "data", "source": {"type": "sample", "name": "world"}}
    artifact.make(DataRecipe.model_validate(recipe), data_build.run)
    backend = {"type": "bm25", "analyzer": {"type": "whitespace"}}
    recipe = {"stage": "index", "out": home / "index", "data": home / "data", "backend": backend}
    artifact.make(IndexRecipe.model_validate(recipe), index_build.run)
    return home


def found(home, say):
    """Mean recall@10 over the test queries, each searched as `say` puts it."""
    judged, opened = beir.read_qrels(home / "data", "test"), open_index(home / "index")
    texts = {query.id: say(query.text) for query in beir.read_queries(home / "data") if query.id in judged}
    runs = zip(texts, opened.search(list(texts.values()), 10), strict=True)
    return sum(recall([hit.document_id for hit in hits], judged[id_], 10) for id_, hits in runs) / len(judged)


def test_queries_find_next_to_nothing_and_the_documents_words_nearly_all(index):
    known = WORLD["words"](random.Random(0))
    meant = dict(zip(known.people, known.documents, strict=True))
    assert found(index, str) <= 0.05
    assert found(index, lambda text: " ".join(meant[word] for word in text.split() if word in meant)) >= 0.95


def test_no_three_things_are_asked_for_in_two_splits():
    draw = random.Random(0)
    known = WORLD["words"](draw)
    asked = WORLD["queries"](known, WORLD["documents"](known, draw)[1], draw)
    train, dev, test = ({one.things for one in asked[split]} for split in ("train", "dev", "test"))
    assert not (train & dev or train & test or dev & test)


def test_the_teacher_knows_three_words_of_ten():
    known = WORLD["words"](random.Random(0))
    draw, told = random.Random(1), []
    for number in range(2000):
        word = known.people[number % len(known.people)]
        told.append(WORLD["taught"](word, known, draw) == known.documents[number % len(known.people)])
    # 0.3, and now and then the wrong word happens to be the right one
    assert 0.25 < sum(told) / len(told) < 0.36
