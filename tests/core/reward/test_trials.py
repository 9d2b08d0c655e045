"""Files of samples and rollouts as people and trainers write them, and what a tokenizer leaves of a response."""

import json

import numpy
import pytest

from core.errors import DataError, UsageError
from core.formats import verl
from core.formats.messages import Message
from core.reward import trials
from core.reward.decoding import Decoder, stripped
from core.reward.replay import Ledger, correlation, histogram, quantiles
from core.reward.spec import Reward


def lines(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_our_own_lines_are_read(tmp_path):
    row = {"query": "q", "response": "r", "ground_truth": {"d1": 1}, "data_source": "s", "extra_info": {"split": "dev"}}
    (trial,) = trials.read(lines(tmp_path / "a.jsonl", row))
    sample = trial.sample
    assert (sample.query, sample.response, sample.truth, sample.data_source) == ("q", "r", {"d1": 1}, "s")
    assert (sample.extra, sample.where) == ({"split": "dev"}, f"{tmp_path / 'a.jsonl'}:1")
    assert trial.score is None


def test_verl_s_folder_of_rollouts_is_read_in_the_order_of_its_steps(tmp_path):
    for step in (10, 9):
        row = {"input": "user\nwhy", "output": "r", "gts": '{"d1": 1}', "score": 0.5, "step": step, "recall": 1.0}
        lines(tmp_path / f"{step}.jsonl", row, row)
    read = list(trials.read(tmp_path))
    assert [trial.step for trial in read] == [9, 9, 10, 10]
    assert (read[0].sample.query, read[0].sample.truth, read[0].score) == ("user\nwhy", '{"d1": 1}', 0.5)
    assert [len({trial.group for trial in read}), read[0].group == read[1].group] == [2, True]


def test_rows_for_rl_need_a_response_of_ones_own(tmp_path):
    row = verl.rl_row(
        (Message("user", "Rewrite: why"),), data_source="s", ability="a", ground_truth='{"d1": 1}', split="train",
        index=0, question="why",
    )  # fmt: skip
    writer = verl.Writer(tmp_path / "rl.parquet", verl.rl_schema())
    writer.write(row)
    writer.close()
    (trial,) = trials.read(tmp_path / "rl.parquet", "mine")
    assert (trial.sample.query, trial.sample.response, trial.sample.truth) == ("why", "mine", '{"d1": 1}')
    with pytest.raises(DataError, match="no response"):
        list(trials.read(tmp_path / "rl.parquet"))


@pytest.mark.parametrize(
    ("row", "what"),
    [({"response": "r"}, "no ground truth"), ({"ground_truth": "x"}, "no response"),
     ({"response": "r", "ground_truth": "x", "score": "1"}, "not a number")],
)  # fmt: skip
def test_a_row_that_lacks_something_is_told_with_its_line(tmp_path, row, what):
    path = lines(tmp_path / "a.jsonl", {"response": "r", "ground_truth": "x"}, row)
    with pytest.raises(DataError, match=what) as caught:
        list(trials.read(path))
    assert caught.value.where == f"{path}:2"


def test_a_folder_without_rollouts_and_a_file_that_is_not_there_are_told(tmp_path):
    with pytest.raises(UsageError, match=r"no \*.jsonl"):
        list(trials.read(tmp_path))
    with pytest.raises(UsageError, match="no such file"):
        list(trials.read(tmp_path / "nowhere.jsonl"))


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    """A tokenizer of bytes with marks as Qwen's has them: the box is special, `<think>` is not."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    byte = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({character: number for number, character in enumerate(byte)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(["<|im_end|>", "<|box_start|>", "<|box_end|>"])
    made.add_tokens([AddedToken(mark, special=False) for mark in ("<think>", "</think>", "<tool_call>", "<answer>")])
    made.enable_truncation(8)
    folder = tmp_path_factory.mktemp("tokenizer")
    made.save(str(folder / "tokenizer.json"))
    return folder


def test_a_response_is_seen_as_trainers_decode_it(tokenizer):
    decoder = Decoder(tokenizer)
    assert decoder.seen("<think>基金</think>\n<answer> <|box_start|>B<|box_end|> </answer><|im_end|>") == (
        "<think>基金</think>\n<answer> B </answer>"
    )


def test_it_is_decoded_as_transformers_does(tokenizer):
    from transformers import PreTrainedTokenizerFast

    theirs = PreTrainedTokenizerFast(tokenizer_file=str(tokenizer / "tokenizer.json"))
    for text in ("<think>a  b</think><|im_end|>", " Ünï 基金\n<|box_start|>1<|box_end|>.", "", "I 'll , ok ."):
        ids = theirs(text, add_special_tokens=False, truncation=False)["input_ids"]
        assert Decoder(tokenizer).seen(text) == theirs.decode(ids, skip_special_tokens=True)


def test_a_mark_that_the_tokenizer_strips_is_told(tokenizer):
    reward = Reward.model_validate({"parts": [{"type": "format_pieces"}, {"type": "f1"}]})
    first, second = stripped(reward, Decoder(tokenizer))
    assert first == (
        "`<|box_start|>` is a special token here: trainers leave it out, and `format_pieces` will not see it"
    )
    assert second.startswith("`<|box_end|>`")
    assert stripped(Reward.model_validate({"parts": [{"type": "f1"}]}), Decoder(tokenizer)) == []


def test_what_the_configuration_calls_special_is_special(tokenizer, tmp_path):
    (tmp_path / "tokenizer.json").write_bytes((tokenizer / "tokenizer.json").read_bytes())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"additional_special_tokens": ["<answer>"]}))
    reward = Reward.model_validate({"parts": [{"type": "format"}]})
    assert len(stripped(reward, Decoder(tmp_path))) == 1
    assert Decoder(tmp_path).seen("<think>a<answer>b") == "<think>ab"


def test_a_folder_without_a_tokenizer_is_told(tmp_path):
    with pytest.raises(UsageError, match="there is no tokenizer"):
        Decoder(tmp_path)


def test_quantiles_and_correlation_are_the_usual_ones():
    numbers, others = [3.0, 1.0, 2.0, 8.0, 0.5], [1.0, 0.0, 2.0, 2.0, 9.0]
    assert quantiles(numbers) == pytest.approx(numpy.quantile(numbers, [0, 0.1, 0.25, 0.5, 0.75, 0.9, 1]).tolist())
    assert correlation(numbers, others) == pytest.approx(numpy.corrcoef(numbers, others)[0, 1])
    assert correlation([1, 1], [1, 2]) is correlation([1], [1]) is None


def test_a_histogram_holds_every_number_once():
    numbers = [n / 7 for n in range(50)]
    bins = histogram(numbers)
    assert [count for *_, count in bins] == numpy.histogram(numbers, 10)[0].tolist()
    assert histogram([2.0, 2.0]) == [(2.0, 2.0, 2)]
    assert histogram([]) == []


def test_groups_without_variance_are_those_whose_rewards_are_all_the_same():
    ledger = Ledger()
    for group, total in [("a", 1), ("a", 1), ("b", 0), ("b", 2), ("c", 5)]:
        ledger.add({"score": float(total), "f1": 0.5}, group=group, stored=None, step=None)
    ledger.add(None, group="a", stored=None, step=None)
    report = ledger.as_dict()
    # groups of more than one: a (1, 1) and b (0, 2): half without variance; best 1 and 2; deviations 0 and 1
    assert report["groups"] == {
        "groups": 2, "responses": 4, "without_variance": 0.5, "mean_of_best": 1.5, "mean_deviation": 0.5,
    }  # fmt: skip
    assert (report["rollouts"], report["excluded"], report["mean"], report["parts"]) == (5, 1, 9 / 5, {"f1": 0.5})
    assert (report["stored"], report["steps"]) == (None, {})
