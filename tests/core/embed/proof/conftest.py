"""Models whose vectors are set by hand, and an exam on which it is known which of them is better."""

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer, models, pre_tokenizers

from core.embed.recipe import Recipe
from core.embed.rows.row import Exam, Material, Row
from core.types import Document, Query

QUESTIONS, OTHERS, DIMENSION = 40, 60, 64


def word(kind, number):
    """One word, which shares no part with another that BM25 could see."""
    return f"{kind}{chr(97 + number // 10)}{chr(97 + number % 10)}"


@pytest.fixture(scope="session")
def hand_made():
    """`hand_made({"word": vector})`: a model that gives a text the mean of its words' vectors."""

    def make(vectors):
        words = ["[UNK]", *vectors]
        tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        weights = np.array([np.zeros(len(next(iter(vectors.values())))), *vectors.values()], np.float32)
        return SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=weights)], device="cpu")

    return make


@pytest.fixture(scope="session")
def knowing(hand_made, tmp_path_factory):
    """`knowing(30)`: the folder of a model that knows 30 of the 40 questions: their vector is their answer's."""
    made = {}

    def folder(known):
        if known not in made:
            rng = np.random.default_rng(known)
            answers = rng.normal(size=(QUESTIONS + OTHERS, DIMENSION))
            strangers = rng.normal(size=(QUESTIONS, DIMENSION))
            vectors = {word("answer", n): vector for n, vector in enumerate(answers)}
            vectors |= {word("question", n): (answers if n < known else strangers)[n] for n in range(QUESTIONS)}
            made[known] = tmp_path_factory.mktemp("knowing")
            hand_made(vectors).save(str(made[known]), create_model_card=False)
        return made[known]

    return folder


@pytest.fixture(scope="session")
def exam():
    """40 questions of one word, each answered by the one document whose word is its partner; no word is shared."""
    return Exam(
        queries=[Query(f"question{n}", word("question", n)) for n in range(QUESTIONS)],
        qrels={f"question{n}": {f"doc{n}": 1} for n in range(QUESTIONS)},
        documents=[Document(f"doc{n}", word("answer", n)) for n in range(QUESTIONS + OTHERS)],
        origin="made by hand",
    )


@pytest.fixture(scope="session")
def graded_rows():
    """40 questions, each with its answer at 1, another document at 0.3, and two at 0; one pair a row."""
    return [
        Row(word("question", n), (word("answer", other),), f"question{n}", (f"doc{other}",), (rel,))
        for n in range(QUESTIONS)
        for other, rel in [(n, 1.0), ((n + 7) % 40, 0.3), (n + 41, 0.0), (n + 50, 0.0)]
    ]


@pytest.fixture(scope="session")
def material():
    def make(exam=None, graded=(), validation=()):
        return Material((), validation, exam, graded, (), {})

    return make


@pytest.fixture(scope="session")
def recipe_for():
    def make(model="base", **changes):
        fields = {
            "stage": "embed",
            "out": "unused",
            "model": {"type": "pretrained", "name": str(model)},
            "train": {"type": "examples", "path": "unused"},
        }
        return Recipe.model_validate({**fields, **changes})

    return make
