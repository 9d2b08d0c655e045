"""A teacher's scores, by a tiny cross-encoder of random weights."""

import json

import pytest
import torch

from core.embed.losses.spec import Teacher
from core.embed.losses.teacher import BLOCK, scored, taught
from core.embed.rows.listed import Listed
from core.embed.rows.row import Material, Row
from core.errors import ContractError, DataError, Missing

COUNT = BLOCK + 40


@pytest.fixture(scope="module")
def save(tiny_bert, tmp_path_factory):
    """Save a cross-encoder of `labels` labels, with the tokenizer of the tiny BERT."""
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    folder = tmp_path_factory.mktemp("teachers")

    def save(labels=1, spoil=False):
        torch.manual_seed(2)
        config = BertConfig.from_pretrained(tiny_bert, num_labels=labels, initializer_range=0.5)
        model = BertForSequenceClassification(config)
        if spoil:
            model.classifier.bias.data.fill_(float("nan"))
        path = folder / f"{labels}-{spoil}"
        model.save_pretrained(path)
        AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(path)
        return str(path)

    return save


@pytest.fixture(scope="module")
def teacher(save):
    return Teacher(model=save())


def row(n, columns):
    texts = tuple(f"document {n} {column}" for column in range(columns))
    return Row(f"query {n}", texts, f"q{n}", texts)


@pytest.fixture(scope="module")
def rows():
    """Rows of two to four documents."""
    return Listed(row(n, 2 + n % 3) for n in range(COUNT))


def test_labels_are_the_logits_of_sentence_transformers(rows, teacher, tmp_path):
    from sentence_transformers import CrossEncoder

    found = scored(rows, teacher, tmp_path)
    assert [(r.query, r.documents, r.document_ids) for r in found] == [
        (r.query, r.documents, r.document_ids) for r in rows
    ]
    model = CrossEncoder(teacher.model)
    for given, labelled in zip(rows[:5], found[:5], strict=True):
        pairs = [(given.query, document) for document in given.documents]
        expected = model.predict(pairs, activation_fn=torch.nn.Identity())
        assert labelled.labels == pytest.approx(expected.tolist(), abs=1e-5)
        assert torch.sigmoid(torch.tensor(labelled.labels)).tolist() == pytest.approx(model.predict(pairs), abs=1e-5)
    assert len({label for r in found for label in r.labels}) > COUNT


def test_a_killed_run_pays_for_nothing_twice(rows, teacher, tmp_path):
    whole = scored(rows, teacher, tmp_path)
    path = tmp_path / "teacher.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) == COUNT
    # Another teacher's scores in the first block: they stay. The second is not whole, its last line torn: it is owed.
    kept = [{**json.loads(line), "scores": [7.0] * len(rows[n].documents)} for n, line in enumerate(lines[:BLOCK])]
    path.write_bytes(
        b"".join(json.dumps(line).encode() + b"\n" for line in kept) + b"".join(lines[BLOCK : BLOCK + 9])[:-4]
    )
    again = scored(rows, teacher, tmp_path)
    assert {label for r in again[:BLOCK] for label in r.labels} == {7.0}
    assert again[BLOCK:] == whole[BLOCK:]
    assert path.read_bytes().splitlines(keepends=True)[BLOCK:] == lines[BLOCK:]


def test_a_finished_file_needs_no_model(rows, teacher, tmp_path):
    whole = scored(rows, teacher, tmp_path)
    assert scored(rows, Teacher(model=str(tmp_path / "nowhere")), tmp_path) == whole
    with pytest.raises(Missing, match="cannot be loaded"):
        scored(rows, Teacher(model=str(tmp_path / "nowhere")), tmp_path, "other.jsonl")


def test_scores_of_other_rows_are_refused(rows, teacher, tmp_path):
    scored(rows[:4], teacher, tmp_path)
    for others in (rows[3:7], rows[:3]):  # rows 3 to 6 have as many documents as 0 to 3
        with pytest.raises(DataError, match="another row") as caught:
            scored(others, teacher, tmp_path)
        assert "teacher.jsonl:" in caught.value.where
    (tmp_path / "teacher.jsonl").write_text("{}\n" * 4)
    with pytest.raises(DataError, match="holds no scores"):
        scored(rows[:4], teacher, tmp_path)


def test_validation_rows_are_scored_too(rows, teacher, tmp_path):
    material = Material(rows[:6], rows[6:9], None, (), (), {"rows": 6})
    found = taught(material, teacher, tmp_path)
    both = scored(rows[:9], teacher, tmp_path, "both.jsonl")
    labels = [label for r in (*found.training, *found.validation) for label in r.labels]
    assert labels == pytest.approx([label for r in both for label in r.labels], abs=1e-5)
    assert found.facts == {"rows": 6}


def test_a_teacher_of_two_labels_or_of_nan_is_refused(rows, save, tmp_path):
    with pytest.raises(ContractError, match="has 2 labels, a score needs one"):
        scored(rows, Teacher(model=save(labels=2)), tmp_path)
    with pytest.raises(ContractError, match="gives NaN"):
        scored(rows, Teacher(model=save(spoil=True)), tmp_path)
    assert (tmp_path / "teacher.jsonl").read_bytes() == b""
