import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import get_json_schema
from trl.chat_template_utils import (
    is_chat_template_prefix_preserving,
    is_chat_template_stop_token_trained,
    parse_response,
    supports_tool_calling,
)

from core.tuning.models import new
from core.tuning.models.chat import TAGS
from core.tuning.spec import New


def search(query_list: list[str]) -> str:
    """Search the corpus.

    Args:
        query_list: What is searched.
    """


def test_the_same_rows_and_seed_give_the_same_bytes(small, tmp_path):
    spec = New(type="new", hidden_size=32, layers=2, heads=2, vocabulary=600, max_tokens=128)
    texts = [text for text in AutoTokenizer.from_pretrained(small).get_vocab() if text.isascii()]
    for name, seed in [("1", 3), ("2", 3), ("3", 4)]:
        new.write(spec, texts, tmp_path / name, seed)
    files = {name: (tmp_path / name / "model.safetensors").read_bytes() for name in "123"}
    assert files["1"] == files["2"] != files["3"]
    assert (tmp_path / "1/tokenizer.json").read_bytes() == (tmp_path / "2/tokenizer.json").read_bytes()


def test_a_new_model_leaves_the_random_numbers_of_others_alone(small):
    tokenizer = AutoTokenizer.from_pretrained(small)
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    new.model(New(type="new", hidden_size=32, layers=1, heads=2), tokenizer, 5)
    assert torch.equal(torch.rand(3), expected)


def test_line_ends_tags_and_frequent_words_are_a_token_each(small):
    tokenizer = AutoTokenizer.from_pretrained(small)
    for text in ("\n", *TAGS, "rewrite", " u1"):
        assert len(tokenizer.encode(text)) == 1, text
    assert tokenizer.encode("\n\n") == tokenizer.encode("\n") * 2


def test_no_text_is_unknown(small):
    tokenizer = AutoTokenizer.from_pretrained(small)
    for text in ("基金净值 2024年", "naïve \t\r\n x", "🙂", "<answer>{}</answer>"):
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_tags_survive_where_special_tokens_are_left_out(small):
    tokenizer = AutoTokenizer.from_pretrained(small)
    text = "".join(TAGS)
    assert tokenizer.decode(tokenizer.encode(text + "<|im_end|>"), skip_special_tokens=True) == text


def test_the_template_is_one_that_trl_trains_tools_and_answers_with(small):
    tokenizer = AutoTokenizer.from_pretrained(small)
    assert supports_tool_calling(tokenizer)
    assert is_chat_template_prefix_preserving(tokenizer)
    assert is_chat_template_stop_token_trained(tokenizer)


def test_a_call_of_a_tool_is_read_back_as_it_was_rendered(small):
    tokenizer = AutoTokenizer.from_pretrained(small)
    call = {"type": "function", "function": {"name": "search", "arguments": {"query_list": ["u1", "u2"]}}}
    asked = [{"role": "system", "content": "S"}, {"role": "user", "content": "find"}]
    answer = {"role": "assistant", "content": "<think>x</think>", "tool_calls": [call, call]}
    tools = [get_json_schema(search)]
    head = tokenizer.apply_chat_template(asked, tools=tools, add_generation_prompt=True, tokenize=False)
    whole = tokenizer.apply_chat_template([*asked, answer], tools=tools, tokenize=False)
    assert whole.startswith(head)
    assert head.startswith("<|im_start|>system\nS\n\nYou may call")
    assert '"name": "search"' in head
    assert head.count("<|im_start|>system") == 1
    prefix, ids = tokenizer.encode(head), tokenizer.encode(whole[len(head) :].removesuffix("\n"))
    assert parse_response(tokenizer, ids, prefix=prefix) == answer


def test_answers_of_tools_are_rendered_in_one_turn(small):
    tokenizer = AutoTokenizer.from_pretrained(small)
    tools = [{"role": "tool", "content": "r1"}, {"role": "tool", "content": "r2"}]
    text = tokenizer.apply_chat_template([{"role": "user", "content": "q"}, *tools], tokenize=False)
    results = "\n<tool_response>\nr1\n</tool_response>\n<tool_response>\nr2\n</tool_response>"
    assert text == f"<|im_start|>user\nq<|im_end|>\n<|im_start|>user{results}<|im_end|>\n"


def test_the_model_answers_and_ends_with_its_end(small):
    tokenizer, model = AutoTokenizer.from_pretrained(small), AutoModelForCausalLM.from_pretrained(small)
    assert (
        model.generation_config.eos_token_id == tokenizer.eos_token_id == tokenizer.convert_tokens_to_ids("<|im_end|>")
    )
    assert model.config.vocab_size == len(tokenizer) <= 600
    ids = torch.tensor([tokenizer.encode("rewrite")])
    assert model.generate(ids, max_new_tokens=3, do_sample=False).shape[1] <= ids.shape[1] + 3
