import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from transformers import AutoTokenizer

from core.errors import DataError, RecipeError
from core.formats import verl
from core.sft.trl.tokens import IGNORED, dataset, examples
from core.tuning.models import new
from core.tuning.spec import New

ONE = [{"role": "user", "content": "u1"}, {"role": "assistant", "content": "<think> a </think> b"}]
TWO = [
    {"role": "system", "content": "s"},
    *ONE,
    {"role": "user", "content": "u2"},
    {"role": "assistant", "content": "c"},
]

FORGETS = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{{ m.content if loop.last else m.content.split('</think>')[-1] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""Drops the thoughts of earlier turns, as Qwen3's template does."""


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    new.write(New(type="new", hidden_size=8, layers=1, heads=2, vocabulary=400), ["u1 u2 a b c"], folder, 1)
    return AutoTokenizer.from_pretrained(folder)


def learned(tokenizer, example):
    return tokenizer.decode([label for label in example.labels if label != IGNORED])


@pytest.mark.parametrize("messages", [ONE, TWO])
def test_what_is_learned_is_what_the_templates_own_marks_say(tokenizer, messages):
    marked = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=True, return_assistant_tokens_mask=True)
    (found,) = examples(tokenizer, messages)
    assert found.tokens == marked["input_ids"]
    pairs = zip(marked["input_ids"], marked["assistant_masks"], strict=True)
    assert found.labels == [token if mark else IGNORED for token, mark in pairs]


def test_every_answer_is_learned_with_its_end(tokenizer):
    (found,) = examples(tokenizer, TWO)
    assert learned(tokenizer, found) == "<think> a </think> b<|im_end|>c<|im_end|>"


def test_a_template_that_forgets_gives_an_example_for_each_answer(tokenizer):
    forgetful = AutoTokenizer.from_pretrained(tokenizer.name_or_path)
    forgetful.chat_template = FORGETS
    first, second = examples(forgetful, TWO)
    assert learned(forgetful, first) == "<think> a </think> b<|im_end|>"
    assert learned(forgetful, second) == "c<|im_end|>"
    assert "<think>" not in forgetful.decode(second.tokens)


def test_what_a_template_writes_before_the_answer_is_not_learned(tokenizer):
    opening = AutoTokenizer.from_pretrained(tokenizer.name_or_path)
    opening.chat_template = opening.chat_template.replace(
        "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}",
        "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n<think>' }}",
    )
    (found,) = examples(opening, ONE)
    assert learned(opening, found) == " a </think> b<|im_end|>"


@pytest.fixture
def file(tmp_path):
    def written(*conversations):
        path = tmp_path / "rows.parquet"
        rows = [{"messages": messages} for messages in conversations]
        pq.write_table(pa.Table.from_pylist(rows, verl.sft_schema("sft")), path)
        return path

    return written


def prepared(path, tokenizer, **more):
    return dataset(path, tokenizer, **{"max_length": 100, "truncation": "right", "readable": None} | more)


def test_long_conversations_are_cut_at_their_end_and_counted(tokenizer, file):
    (whole,) = examples(tokenizer, ONE)
    length = len(whole.tokens)
    rows, counts = prepared(file(ONE, TWO), tokenizer, max_length=length)
    assert rows[0]["input_ids"] == whole.tokens
    assert rows[1]["input_ids"] == examples(tokenizer, TWO)[0].tokens[:length]
    assert (counts.rows, counts.examples, counts.truncated, counts.left_out) == (2, 2, 1, 0)


def test_a_conversation_that_is_cut_before_its_answer_is_left_out_and_counted(tokenizer, file):
    asked = [{"role": "user", "content": "u1 " * 50}, ONE[1]]
    rows, counts = prepared(file(asked, ONE), tokenizer, max_length=30)
    assert (len(rows), counts.left_out, counts.truncated) == (1, 1, 1)


def test_no_conversation_left_is_an_error(tokenizer, file):
    with pytest.raises(DataError, match="no conversation is left") as told:
        prepared(file(ONE), tokenizer, max_length=3)
    assert "max_length" in told.value.hint


def test_a_conversation_too_long_ends_the_run_where_it_shall(tokenizer, file):
    long = len(examples(tokenizer, TWO)[0].tokens)
    with pytest.raises(DataError, match=f"has {long} tokens, `max_length` is {long - 1}") as told:
        prepared(file(ONE, TWO), tokenizer, max_length=long - 1, truncation="error")
    assert told.value.where.endswith("rows.parquet: row 2")


def test_a_conversation_longer_than_the_model_reads_is_told(tokenizer, file):
    with pytest.raises(RecipeError, match="the model can read 5"):
        prepared(file(ONE), tokenizer, readable=5)


def test_a_conversation_that_the_template_refuses_is_named(tokenizer, file):
    strict = AutoTokenizer.from_pretrained(tokenizer.name_or_path)
    strict.chat_template = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}x"
    with pytest.raises(DataError, match="no system") as told:
        prepared(file(TWO), strict)
    assert told.value.where.endswith("row 1")
