"""A tokenizer is told how a text ends and which side is padded, and still knows after it was saved."""

import json

import pytest
from tokenizers import processors
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from core.embed.models import tokens
from core.errors import RecipeError

END = "<|endoftext|>"


@pytest.fixture
def tokenizer(tiny_qwen3):
    return AutoTokenizer.from_pretrained(tiny_qwen3)


def pieces(tokenizer, *texts, **how):
    return tokenizer.convert_ids_to_tokens(tokenizer(*texts, **how).input_ids)


def test_every_text_ends_with_the_token_also_in_a_pair(tokenizer):
    tokens.append_end(tokenizer)
    assert pieces(tokenizer, "ab") == ["a", "b", END]
    assert pieces(tokenizer, "ab", "c") == ["a", "b", END, "c", END]
    tokens.check_travels(tokenizer)


def test_a_token_is_not_appended_twice(tokenizer, tiny_bert):
    tokens.append_end(tokenizer)
    tokens.append_end(tokenizer)
    assert pieces(tokenizer, "ab") == ["a", "b", END]
    bert = AutoTokenizer.from_pretrained(tiny_bert)
    tokens.append_end(bert)
    assert pieces(bert, "ab") == ["[CLS]", "a", "b", "[SEP]"]


def test_what_a_template_puts_before_a_text_stays(tokenizer):
    # As Llama's does. Two templates one after another would lose a token.
    template = processors.TemplateProcessing(single="<|im_start|> $A", special_tokens=[("<|im_start|>", 1)])
    for before in (template, processors.Sequence([processors.ByteLevel(), template])):
        tokenizer.backend_tokenizer.post_processor = before
        tokens.append_end(tokenizer)
        assert pieces(tokenizer, "ab") == ["<|im_start|>", "a", "b", END]


def test_without_endoftext_the_own_end_of_sequence_token_is_taken(tiny_bert):
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert, eos_token="[MASK]")
    tokenizer.backend_tokenizer.post_processor = processors.ByteLevel()
    tokens.append_end(tokenizer)
    assert pieces(tokenizer, "ab") == ["a", "b", "[MASK]"]


def test_a_tokenizer_without_any_end_is_refused(tiny_bert):
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    tokenizer.backend_tokenizer.post_processor = processors.ByteLevel()
    with pytest.raises(RecipeError, match="no end-of-sequence token") as told:
        tokens.append_end(tokenizer)
    assert told.value.where == "model.append_eos"


def test_a_token_that_is_there_cannot_be_wished_away(tokenizer):
    tokens.refuse_end(tokenizer)
    tokens.append_end(tokenizer)
    with pytest.raises(RecipeError, match=r"ends every text with `<\|endoftext\|>`"):
        tokens.refuse_end(tokenizer)


@pytest.mark.parametrize("kind", ["PreTrainedTokenizerFast", "Qwen2Tokenizer"])
def test_end_and_padding_side_outlive_saving(tiny_qwen3, copy_of, tmp_path, kind):
    folder = copy_of(tiny_qwen3, "tokenizer_config.json", tokenizer_class=kind)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert type(tokenizer).__name__.removeprefix("TokenizersBackend") in {kind, ""}
    tokens.append_end(tokenizer)
    tokens.pad_left(tokenizer)
    tokens.check_travels(tokenizer)
    tokenizer.save_pretrained(tmp_path / "saved")
    again = AutoTokenizer.from_pretrained(tmp_path / "saved")
    assert again.padding_side == "left"
    assert pieces(again, "ab") == ["a", "b", END]
    config = json.loads((tmp_path / "saved/tokenizer.json").read_text())
    assert END in json.dumps(config["post_processor"])


def test_a_tokenizer_that_forgets_is_refused(tokenizer):
    tokenizer.padding_side = "left"  # the attribute alone is not saved
    with pytest.raises(RecipeError, match="loses its end-of-sequence token or padding side"):
        tokens.check_travels(tokenizer)


def test_a_language_model_without_a_padding_token_pads_with_its_end(tokenizer):
    bare = PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer, eos_token="<|im_end|>")
    tokens.ensure_padding(bare)
    assert bare.pad_token == "<|im_end|>"
    tokens.check_travels(bare)
    with pytest.raises(RecipeError, match="neither a padding"):
        tokens.ensure_padding(PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer))
