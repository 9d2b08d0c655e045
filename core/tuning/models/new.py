"""A small Qwen3 from nothing, and its tokenizer, learned from the rows that it will be trained on."""

from collections.abc import Iterable
from pathlib import Path

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from core.tuning.models.chat import EOS, PAD, RESPONSE, START, TAGS, TEMPLATE
from core.tuning.spec import New

PIECES = r"\n| ?[\p{L}_][\p{L}\p{N}_]*|\p{N}{1,3}| ?[^\s\p{L}\p{N}_]+|\s"
"""What is never merged with its neighbours. A line end is a piece of its own: trainers that add turns to a conversation
count on its being one token."""
SCHEMA = "function name description parameters type object properties array items string required return query_list"
"""Words of every tool's schema: a token each spares a model that calls tools hundreds of letters a prompt."""
WIDER = 4
"""The feed-forward layers, by the width of the model."""


def write(spec: New, texts: Iterable[str], folder: Path, seed: int) -> None:
    """A Hugging Face directory of the model and its tokenizer. The same texts and seed give the same bytes.

    `texts` are the contents of messages; a piece that comes often becomes a token.
    """
    tokenizer = tokenizer_of(texts, spec.vocabulary, spec.max_tokens)
    model(spec, tokenizer, seed).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def tokenizer_of(texts: Iterable[str], vocabulary: int, max_tokens: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE: bytes are always among the tokens, so no text is unknown."""
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    inner.decoder = decoders.ByteLevel()
    special = [PAD, START, EOS]
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - len(TAGS),
        special_tokens=special,
        initial_alphabet=alphabet,
        show_progress=False,
    )
    inner.train_from_iterator([*_often(texts), "system\nuser\nassistant\ntool\n", TEMPLATE, SCHEMA], trainer)
    inner.add_tokens([AddedToken(tag, normalized=False, special=False) for tag in TAGS])
    made = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=inner,
        eos_token=EOS,
        pad_token=PAD,
        additional_special_tokens=[START, EOS],
        clean_up_tokenization_spaces=False,
        model_max_length=max_tokens,
        padding_side="left",
        response_template=RESPONSE,
    )
    made.chat_template = TEMPLATE
    return made


def model(spec: New, tokenizer: PreTrainedTokenizerFast, seed: int) -> Qwen3ForCausalLM:
    """Random weights by `seed`; no dropout."""
    state = torch.random.get_rng_state()
    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=spec.hidden_size,
        intermediate_size=WIDER * spec.hidden_size,
        num_hidden_layers=spec.layers,
        num_attention_heads=spec.heads,
        num_key_value_heads=spec.heads,
        head_dim=spec.hidden_size // spec.heads,
        max_position_embeddings=spec.max_tokens,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
    )
    made = Qwen3ForCausalLM(config)
    made.generation_config.eos_token_id = tokenizer.eos_token_id
    made.generation_config.pad_token_id = tokenizer.pad_token_id
    torch.random.set_rng_state(state)
    return made


def _often(texts: Iterable[str]) -> Iterable[str]:
    """Each distinct text once, in a fixed order: a system message in every row must not crowd out other words."""
    return sorted(set(texts))
