"""What `Collate` makes of rows: the vectors it leads to are those of `model.encode`, and little is padded."""

import itertools
import random

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

from core.embed.fit import groups
from core.embed.fit.batch import Collate
from core.embed.losses.spec import InfoNce
from core.embed.rows.row import Row

PROMPTS = {"query": "ask ", "document": "text of "}


def of_modules(folder, pooling, **prompts):
    transformer = Transformer(str(folder))
    model = SentenceTransformer(
        modules=[transformer, Pooling(transformer.get_embedding_dimension(), pooling)], prompts=prompts, device="cpu"
    )
    model.max_seq_length = 24
    return model


@pytest.fixture
def model_for(tiny_bert, tiny_qwen3, static_model):
    def made(name):
        match name:
            case "no prompts":
                return of_modules(tiny_bert, "mean")
            case "prompts":
                return of_modules(tiny_bert, "cls", **PROMPTS)
            case "prompts not pooled":
                model = of_modules(tiny_bert, "mean", **PROMPTS)
                model.set_pooling_include_prompt(False)
                return model
            case "padding left":
                model = of_modules(tiny_qwen3, "lasttoken", query="ask ")
                model.tokenizer.padding_side, model.max_seq_length = "left", 64
                return model
            case "static":
                return SentenceTransformer(str(static_model), prompts=PROMPTS, device="cpu")
        raise AssertionError(name)

    return made


def row(query, *documents, **fields):
    ids = {"query_id": query, "document_ids": documents}
    return Row(query=query, documents=documents, **(ids | fields))


def some_rows(num, rng=None):
    rng = rng or random.Random(1)
    word = lambda: "".join(rng.choices("abcdefgh", k=rng.randint(2, 6)))  # noqa: E731
    text = lambda most: " ".join(word() for _ in range(rng.randint(1, most)))  # noqa: E731
    return [row(text(3), text(12), text(12)) for _ in range(num)]


@torch.no_grad()
def vectors(model, batch):
    model.eval()
    return torch.cat([model(dict(features))["sentence_embedding"] for features in batch["groups"]])[batch["order"]]


@pytest.mark.parametrize("most", [None, 3])
@pytest.mark.parametrize("name", ["no prompts", "prompts", "prompts not pooled", "padding left", "static"])
def test_vectors_are_those_of_encode(model_for, name, most):
    model, rows = model_for(name), some_rows(9)
    rows += [row("abc", rows[0].documents[0], "h" * 60), row(rows[0].query, rows[0].query)]
    batch = Collate(model, InfoNce(mini_batch_size=most))(rows)
    queries = list(dict.fromkeys(row.query for row in rows))
    documents = list(dict.fromkeys(text for row in rows for text in row.documents))
    encode = {"convert_to_tensor": True, "show_progress_bar": False}
    expected = torch.cat(
        [
            model.encode(queries, prompt=model.prompts.get("query") or "", **encode),
            model.encode(documents, prompt=model.prompts.get("document") or "", **encode),
        ]
    )
    # A query that is also a document is encoded as both, and no text twice as one.
    assert len(batch["order"]) == len(queries) + len(documents) == 10 + 20
    torch.testing.assert_close(vectors(model, batch), expected, rtol=1e-4, atol=1e-5)


def test_an_empty_text_is_encoded_as_a_blank(model_for):
    model = model_for("static")
    model.prompts = {}
    found = vectors(model, Collate(model, InfoNce())([row("", "a", "")]))
    torch.testing.assert_close(found, model.encode([" ", "a", " "], convert_to_tensor=True))


def test_groups_hold_little_padding_and_all_texts(model_for):
    model, rows = model_for("no prompts"), some_rows(40)
    made = Collate(model, InfoNce())(rows)["groups"]
    lengths = [features["attention_mask"].sum(1) for features in made]
    padded = sum(features["input_ids"].numel() for features in made)
    assert sum(map(len, lengths)) == 120
    assert all(length.max() == features["input_ids"].shape[1] for length, features in zip(lengths, made, strict=True))
    tokens = int(torch.cat(lengths).sum())
    longest = max(features["input_ids"].shape[1] for features in made)
    # All in one would be `120 * longest` tokens.
    assert padded < tokens + 0.3 * (120 * longest - tokens)
    assert len(made) > 1


def test_no_group_is_above_the_mini_batch_size(model_for):
    made = Collate(model_for("no prompts"), InfoNce(mini_batch_size=7))(some_rows(10))["groups"]
    assert max(len(features["input_ids"]) for features in made) <= 7


def fits(sizes, lengths, most):
    """No group of more than `most` texts, or of more tokens than `most` have on average, unless it is one text."""
    starts, tokens = [0, *itertools.accumulate(sizes)][:-1], most * sum(lengths) / len(lengths)
    padded = [size * lengths[start] for size, start in zip(sizes, starts, strict=True)]
    return max(sizes) <= most and all(size == 1 or held <= tokens for size, held in zip(sizes, padded, strict=True))


@pytest.mark.parametrize("most", [None, 2, 3])
def test_groups_are_the_cheapest_of_all(most):
    rng = random.Random(2)
    for _ in range(20):
        lengths = sorted((rng.randint(1, 100) for _ in range(8)), reverse=True)

        def cost(sizes, lengths=lengths):
            starts = [0, *itertools.accumulate(sizes)][:-1]
            return sum(50 + size * lengths[start] for size, start in zip(sizes, starts, strict=True))

        every = [
            [end - start for start, end in itertools.pairwise([0, *cuts, 8])]
            for number in range(8)
            for cuts in itertools.combinations(range(1, 8), number)
        ]
        allowed = [sizes for sizes in every if most is None or fits(sizes, lengths, most)]
        found = groups.sizes(lengths, overhead=50, most=most)
        assert found in allowed
        assert cost(found) == min(map(cost, allowed))


def test_groups_of_nothing_are_none():
    assert groups.sizes([], overhead=64) == []


def test_rows_name_their_documents_by_number(model_for):
    rows = [row("q1", "a", "b"), row("q2", "b"), row("q1", "c", "a", weight=2.0)]
    batch = Collate(model_for("static"), InfoNce())(rows)
    assert batch["queries_B"].tolist() == [0, 1, 0]
    assert batch["documents_BC"].tolist() == [[0, 1], [1, -1], [2, 0]]
    assert batch["weights_B"].tolist() == [1.0, 1.0, 2.0]
    assert "labels_BC" not in batch
    first, second, third = batch["query_groups_B"].tolist()
    assert first == third != second


def test_pieces_of_one_document_share_a_group(model_for):
    ids = ("d#0", "d#11", "d", "d#x", "e#1")
    batch = Collate(model_for("static"), InfoNce())([row("q", *"abcde", document_ids=ids)])
    one, two, three, four, five = batch["document_groups_N"].tolist()
    assert one == two == three
    assert len({one, four, five}) == 3


def test_labels_are_filled_up_where_a_row_has_fewer_documents(model_for):
    rows = [row("q1", "a", "b", labels=(1.0, 0.25)), row("q2", "c", labels=(0.5,))]
    labels = Collate(model_for("static"), InfoNce())(rows)["labels_BC"]
    torch.testing.assert_close(labels, torch.tensor([[1.0, 0.25], [0.5, torch.nan]]), equal_nan=True)
