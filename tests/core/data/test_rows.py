import json
import subprocess
import sys
from pathlib import Path

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from core import artifact
from core.data import build as data_build
from core.data.recipe import Recipe as DataRecipe
from core.data.rows import build
from core.data.rows.recipe import Recipe
from core.errors import ArtifactError, DataError, Missing, RecipeError
from core.formats import verl

FOUR = {"A": "甲", "B": "乙", "C": "丙", "D": "丁"}


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory):
    """A folder with a tokenizer whose tokens are bytes, and ChatML as its chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE({letter: number for number, letter in enumerate(letters)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>", "<|box_start|>"],
    )
    made.chat_template = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    folder = tmp_path_factory.mktemp("tokenizer")
    made.save_pretrained(folder)
    return folder


def lines(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def talks(count, **more):
    return [
        {
            "messages": [
                {"role": "HUMAN", "content": f"问{n}"},
                {"role": "ASSISTANT", "content": f"<think>想</think>答{n}"},
            ]
        }
        for n in range(count)
    ]


def questions(count):
    return [{"question": f"题目{n}", "choices": FOUR, "answer": "ABCD"[n % 4]} for n in range(count)]


def made(tmp_path, source, name="out", **more):
    recipe = Recipe.model_validate({"stage": "rows", "out": tmp_path / name, "source": source, **more})
    artifact.make(recipe, build.run)
    return tmp_path / name, artifact.read(tmp_path / name, ("rows",))["stats"]


def of(tmp_path, rows, name="out", kind="choice", targets=("sft", "rl"), split=None, **more):
    source = {"type": kind, "path": lines(tmp_path / "rows.jsonl", rows), "train_ratio": 0.5, **(split or {})}
    return made(tmp_path, source, name, targets=targets, **more)


def table(path):
    return pq.read_table(path).to_pylist()


def asked(out, split, target="rl"):
    return [row["extra_info"]["question"] for row in table(out / target / f"{split}.parquet")]


def judged(tmp_path):
    """An artifact of `dr data` with three judged queries in two splits, one of them without a relevant document."""
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    lines(folder / "corpus.jsonl", [{"_id": f"0{n}", "title": "", "text": f"文{n}"} for n in range(3)])
    lines(folder / "queries.jsonl", [{"_id": f"q{n}", "text": f"查{n}"} for n in range(3)])
    head = "query-id\tcorpus-id\tscore\n"
    (folder / "qrels" / "train.tsv").write_text(f"{head}q0\t00\t2\nq0\t01\t1\nq0\t02\t0\nq1\t02\t0\n")
    (folder / "qrels" / "test.tsv").write_text(f"{head}q2\t02\t1\n")
    recipe = {"stage": "data", "out": tmp_path / "data", "source": {"type": "beir", "path": folder}}
    artifact.make(DataRecipe.model_validate(recipe), data_build.run)
    return tmp_path / "data"


# what comes out


def test_conversations_become_messages_with_their_thoughts_untouched(tmp_path):
    out, stats = of(tmp_path, talks(10), kind="conversations", targets=["sft"])
    rows = table(out / "sft" / "train.parquet") + table(out / "sft" / "test.parquet")
    assert stats["sft"]["rows"] == {"train": 5, "test": 5}
    assert sorted(row["messages"][1]["content"] for row in rows) == [f"<think>想</think>答{n}" for n in range(10)]
    assert {message["role"] for row in rows for message in row["messages"]} == {"user", "assistant"}
    assert json.loads((out / "sft" / "train_example.json").read_text()) == table(out / "sft" / "train.parquet")[0]
    assert stats["prompts"] is None


def test_the_older_columns_hold_one_turn_with_the_system_message_before_it(tmp_path):
    rows = talks(4)
    rows[0]["messages"].insert(0, {"role": "system", "content": "简短"})
    rows[1]["messages"] *= 2
    out, stats = of(tmp_path, rows, kind="conversations", targets=["sft"], columns="question_answer")
    found = table(out / "sft" / "train.parquet") + table(out / "sft" / "test.parquet")
    assert {row["question"]: row["answer"] for row in found} == {
        "简短\n\n问0": "<think>想</think>答0", "问2": "<think>想</think>答2", "问3": "<think>想</think>答3",
    }  # fmt: skip
    assert stats["sft"]["several_turns"] == 1


def test_conversations_give_rl_rows_where_the_pattern_finds_a_truth(tmp_path):
    rows = talks(4)
    for number in (0, 2):
        rows[number]["messages"][1]["content"] = (
            f"<think>A?</think><answer>A</answer>，不，<answer> {'BD'[number // 2]} </answer>"
        )
    truth = {"truth": r"<answer>\s*([A-Z]+)\s*</answer>", "train_ratio": 0.9}
    with pytest.raises(DataError, match="the split `test` gets no row"):
        of(tmp_path, rows[:1], kind="conversations", targets=["rl"], split=truth)
    out, stats = of(tmp_path, rows, kind="conversations", targets=["rl"], split={**truth, "train_ratio": 0.5})
    found = [row for path in (out / "rl").glob("*.parquet") for row in table(path)]
    assert {row["extra_info"]["question"]: row["reward_model"]["ground_truth"] for row in found} == {
        "问0": "B",
        "问2": "D",
    }
    assert stats["rl"]["without_ground_truth"] == 2


def test_both_targets_share_their_splits_and_every_file_passes_the_check(tmp_path):
    out, stats = of(tmp_path, questions(40), data_source="exam", split={"train_ratio": 0.5, "dev_ratio": 0.25})
    assert stats["sft"]["rows"] == stats["rl"]["rows"] == {"train": 20, "dev": 10, "test": 10}
    for split in ("train", "dev", "test"):
        for target in ("sft", "rl"):
            assert verl.check(out / target / f"{split}.parquet") == {target: stats[target]["rows"][split]}
        answers = [row["messages"][-1]["content"] for row in table(out / "sft" / f"{split}.parquet")]
        rl = table(out / "rl" / f"{split}.parquet")
        assert answers == [f"<answer>{row['reward_model']['ground_truth']}</answer>" for row in rl]
        assert [row["extra_info"]["index"] for row in rl] == list(range(len(rl)))
    assert set(rl[0]) == {"data_source", "prompt", "ability", "reward_model", "extra_info"}
    assert (rl[0]["data_source"], rl[0]["ability"], rl[0]["extra_info"]["split"]) == ("exam", "multiple_choice", "test")


def test_judged_queries_become_rows_whose_truth_is_relevant_ids_with_grades(tmp_path):
    agent = {"name": "tool_agent", "tools": ["search"]}
    out, stats = made(
        tmp_path, {"type": "retrieval", "data": judged(tmp_path), "prompts": "finance"}, targets=["rl"], agent=agent
    )
    (train,), (test,) = table(out / "rl" / "train.parquet"), table(out / "rl" / "test.parquet")
    assert json.loads(train["reward_model"]["ground_truth"]) == {"00": 2, "01": 1}
    assert json.loads(test["reward_model"]["ground_truth"]) == {"02": 1}
    assert train["prompt"][-1] == {"role": "user", "content": "请改写这条查询：查0"}
    assert '<answer>{"query": "' in train["prompt"][0]["content"]
    assert (train["agent_name"], train["extra_info"]["question"]) == ("tool_agent", "查0")
    assert train["extra_info"]["tools_kwargs"]["search"]["create_kwargs"]["question"] == "查0"
    assert stats["left_out"] == {"the query has no relevant document": 1}
    assert (stats["read"], stats["rl"]["rows"]) == (2, {"train": 1, "test": 1})


def test_only_the_splits_that_are_named_are_taken(tmp_path):
    source = {"type": "retrieval", "data": judged(tmp_path), "splits": ["test"]}
    out, stats = made(tmp_path, source, targets=["rl"])
    assert stats["rl"]["rows"] == {"test": 1}
    assert [path.name for path in (out / "rl").glob("*.parquet")] == ["test.parquet"]


def test_csv_parquet_and_a_json_array_are_read_like_lines(tmp_path):
    rows = [{"question": f"题{n}", **FOUR, "answer": "C"} for n in range(6)]
    (tmp_path / "a.csv").write_text(
        "question,A,B,C,D,answer\n" + "".join(f"题{n},甲,乙,丙,丁,C\n" for n in range(6)), encoding="utf-8"
    )
    (tmp_path / "a.json").write_text(json.dumps(rows))
    datasets.Dataset.from_list(rows).to_parquet(str(tmp_path / "a.parquet"))
    lines(tmp_path / "a.jsonl", rows)
    digests = set()
    for ending in ("csv", "json", "parquet", "jsonl"):
        source = {"type": "choice", "path": tmp_path / f"a.{ending}", "train_ratio": 0.5}
        made(tmp_path, source, ending, targets=["rl"])
        digests.add(artifact.read(tmp_path / ending)["digest"])
    assert len(digests) == 1


def test_a_folder_is_all_its_files_of_lines_by_name(tmp_path):
    (tmp_path / "in").mkdir()
    lines(tmp_path / "in" / "b.jsonl", talks(2))
    lines(tmp_path / "in" / "a.jsonl", [{"question": "问", "answer": "答"}] * 2)
    (tmp_path / "in" / "notes.txt").write_text("x")
    source = {"type": "conversations", "path": tmp_path / "in", "train_ratio": 0.5}
    _, stats = made(tmp_path, source, targets=["sft"])
    assert (stats["read"], stats["duplicates"]) == (4, 1)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no file that ends in \.jsonl"):
        made(tmp_path, {**source, "path": tmp_path / "empty"}, "none", targets=["sft"])


# splits, doubles, samples


def test_the_same_seed_gives_the_same_rows_and_another_one_another_split(tmp_path):
    first, second = (of(tmp_path, questions(40), name)[0] for name in ("a", "b"))
    third, _ = of(tmp_path, questions(40), "c", seed=1)
    assert artifact.read(first)["digest"] == artifact.read(second)["digest"]
    assert asked(first, "test") != asked(third, "test")


def test_equal_questions_are_on_one_side_whatever_their_options(tmp_path):
    others = {"A": "戊", "B": "己"}
    rows = [
        {"question": form, "choices": choices, "answer": "A"}
        for n in range(20)
        for form, choices in ((f"题目 {n}?", FOUR), (f"题目{n}？", others))
    ]
    out, stats = of(tmp_path, rows)
    sides = [{"".join(question.split()).replace("？", "?") for question in asked(out, s)} for s in ("train", "test")]
    assert stats["rl"]["rows"] == {"train": 20, "test": 20}
    assert not sides[0] & sides[1]
    assert stats["questions_in_several_splits"] == 0


def test_questions_on_one_context_are_on_one_side(tmp_path):
    rows = [{"question": f"问{n}", "answer": n, "context": f"表{n // 4}"} for n in range(40)]
    out, _ = of(tmp_path, rows, kind="numeric", targets=["rl"])
    contexts = [{int(question[1:]) // 4 for question in asked(out, split)} for split in ("train", "test")]
    assert not contexts[0] & contexts[1]
    assert len(contexts[0]) == len(contexts[1]) == 5


def test_duplicates_are_dropped_and_contradictions_too_unless_they_are_wanted(tmp_path):
    rows = questions(8)
    # 8 questions; 0 comes again as it is, 1 with another answer: 8 + 2 read, 1 duplicate, 2 that contradict
    rows += [rows[0], {**rows[1], "answer": "D"}]
    out, stats = of(tmp_path, rows)
    assert (stats["read"], stats["duplicates"], stats["conflicts"]) == (10, 1, 2)
    assert sorted(asked(out, "train") + asked(out, "test")) == ["题目0", *(f"题目{n}" for n in range(2, 8))]
    _, stats = of(tmp_path, rows, "kept", split={"on_conflict": "keep"})
    assert (sum(stats["rl"]["rows"].values()), stats["conflicts"]) == (9, 2)


def test_a_query_that_two_splits_share_is_counted(tmp_path):
    data = judged(tmp_path)
    path = tmp_path / "beir" / "queries.jsonl"
    path.write_text(path.read_text().replace("查2", "查0"))
    recipe = {"stage": "data", "out": data, "source": {"type": "beir", "path": tmp_path / "beir"}}
    artifact.make(DataRecipe.model_validate(recipe), data_build.run, force=True)
    _, stats = made(tmp_path, {"type": "retrieval", "data": data}, targets=["rl"])
    assert stats["questions_in_several_splits"] == 1


def test_a_sample_is_drawn_by_the_seed_after_duplicates_are_gone(tmp_path):
    out, stats = of(tmp_path, questions(30) + questions(30), split={"max_samples": 10})
    assert (stats["duplicates"], stats["not_sampled"]) == (30, 20)
    assert len(set(asked(out, "train") + asked(out, "test"))) == 10
    again, _ = of(tmp_path, questions(30) + questions(30), "again", split={"max_samples": 10})
    assert asked(again, "train") == asked(out, "train")


# bad rows


def test_the_first_bad_rows_end_the_run_with_their_lines(tmp_path):
    rows = [*talks(3), {"messages": [{"role": "user", "content": "a"}]}, {"text": "b"}]
    with pytest.raises(DataError) as caught:
        of(tmp_path, rows, kind="conversations", targets=["sft"])
    assert "rows.jsonl:4: no answer: the conversation ends with the user" in caught.value.what
    assert "rows.jsonl:5: no conversation" in caught.value.what
    assert not (tmp_path / "out").exists()


def test_bad_rows_are_set_aside_once_and_counted(tmp_path):
    rows = [*talks(4), {"messages": []}, {"messages": [{"role": "user", "content": "a"}]}]
    out, stats = of(tmp_path, rows, kind="conversations", targets=["sft"], on_bad_row="reject")
    assert stats["bad_rows"] == {"bad conversation": 2}
    assert [json.loads(line)["where"][-1] for line in (out / "rejected.jsonl").read_text().splitlines()] == ["5", "6"]
    assert sum(stats["sft"]["rows"].values()) == 4


def test_a_set_of_which_nothing_is_left_makes_nothing(tmp_path):
    with pytest.raises(DataError, match="no row is left to write"):
        of(tmp_path, [{"question": "a", "answer": "text"}], kind="numeric")
    assert not (tmp_path / "out").exists()


# lengths


def test_lengths_are_in_characters_without_a_tokenizer(tmp_path):
    _, stats = of(tmp_path, talks(10), kind="conversations", targets=["sft"])
    # 问0 and <think>想</think>答0: 2 + 18 characters
    assert (stats["length_unit"], stats["sft"]["lengths"]["train"]["max"]) == ("characters", 20)


def test_lengths_are_in_tokens_of_the_whole_chat_as_the_trainer_counts_them(tmp_path, tokenizer):
    from transformers import AutoTokenizer

    out, stats = of(tmp_path, questions(8), tokenizer=str(tokenizer))
    chat = AutoTokenizer.from_pretrained(tokenizer)
    for target, column, prompted in (("sft", "messages", False), ("rl", "prompt", True)):
        lengths = [
            len(chat.apply_chat_template(row[column], add_generation_prompt=prompted)["input_ids"])
            for row in table(out / target / "train.parquet")
        ]
        assert stats[target]["lengths"]["train"]["max"] == max(lengths)
    assert stats["length_unit"] == "tokens"


@pytest.mark.parametrize(("truncation", "kept"), [("right", 10), ("drop", 8)])
def test_rows_that_are_too_long_are_counted_and_kept_or_dropped(tmp_path, truncation, kept):
    rows = talks(8) + [{"question": f"长{n}", "answer": "字" * 99} for n in range(2)]
    _, stats = of(tmp_path, rows, kind="conversations", targets=["sft"], max_length=50, truncation=truncation)
    assert sum(stats["sft"]["rows"].values()) == kept
    assert sum(lengths["longer_than_max_length"] for lengths in stats["sft"]["lengths"].values()) == 2
    assert stats["sft"]["to_be_truncated" if truncation == "right" else "dropped_as_too_long"] == 2


def test_a_row_that_is_too_long_ends_the_run_where_that_is_asked(tmp_path):
    rows = [*talks(3), {"question": "长", "answer": "字" * 99}]
    with pytest.raises(DataError, match="the sft row has 100 characters, `max_length` is 50") as caught:
        of(tmp_path, rows, kind="conversations", targets=["sft"], max_length=50, truncation="error")
    assert caught.value.where.endswith("rows.jsonl:4")


def test_a_tokenizer_that_is_not_there_is_told(tmp_path):
    with pytest.raises(Missing, match="there is no tokenizer `"):
        of(tmp_path, questions(4), tokenizer=str(tmp_path / "absent"))


def test_special_tokens_that_a_reward_never_sees_are_told(tmp_path, tokenizer):
    # verl decodes answers with skip_special_tokens=True: a box that is asked for is never seen.
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "user.txt").write_text("$question $options <|box_start|>")
    split = {"prompts": str(tmp_path / "mine")}
    rows = [{**row, "explanation": "<|box_start|>"} for row in questions(4)]
    _, stats = of(tmp_path, rows, split=split, tokenizer=str(tokenizer))
    assert stats["prompts"]["special_tokens"] == ["<|box_start|>"]
    assert stats["sft"]["answers_with_special_tokens"] == 4


# prompts


def test_edited_prompts_are_another_artifact_and_their_texts_go_with_the_rows(tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "user.txt").write_text("$question\n$options")
    (mine / "system.txt").write_text("A price of $$5. Choose.")
    out, stats = of(tmp_path, questions(4), split={"prompts": str(mine)})
    (row, *_) = table(out / "rl" / "train.parquet")
    assert row["prompt"][0] == {"role": "system", "content": "A price of $5. Choose."}
    assert (out / "prompts" / "user.txt").read_text() == "$question\n$options"
    (mine / "user.txt").write_text("$question!\n$options")
    with pytest.raises(ArtifactError, match=r"source\.prompts"):
        of(tmp_path, questions(4), split={"prompts": str(mine)})
    _, other = of(tmp_path, questions(4), "other", split={"prompts": str(mine)})
    assert other["prompts"]["digest"] != stats["prompts"]["digest"]


@pytest.mark.parametrize(
    ("user", "told"),
    [
        (None, "there is no prompt template user.txt"),
        ("$question", "the template lacks $options"),
        ("$question $options $answer", "the template has $answer, which nothing fills"),
        ("$question $options $5", "a `$` before something else than a name"),
    ],
)
def test_a_template_that_does_not_fit_is_refused(tmp_path, user, told):
    mine = tmp_path / "mine"
    mine.mkdir()
    if user is not None:
        (mine / "user.txt").write_text(user)
    with pytest.raises(RecipeError) as caught:
        of(tmp_path, questions(4), split={"prompts": str(mine)})
    assert told in caught.value.what


@pytest.mark.parametrize(
    "folder", sorted(Path(__file__).parents[3].glob("recipes/data/prompts/*")), ids=lambda p: p.name
)
def test_every_shipped_prompt_fits_the_source_it_is_for(folder):
    from core.data.rows import answered, choice, numeric, sql
    from core.formats import prompts

    fits = {
        "choice": (choice.NAMES, choice.MORE_NAMES),
        "process": (choice.NAMES, choice.MORE_NAMES),
        "numeric": (numeric.NAMES, numeric.MORE_NAMES),
        "search": (answered.NAMES, answered.MORE_NAMES),
        "sql": (sql.NAMES, sql.MORE_NAMES),
    }
    needed, optional = fits[folder.name.partition("_")[0]]
    found = prompts.read(folder, needed=needed, optional=optional)
    assert "<think>" in found.system
    assert "<answer>" in found.system


# recipes


@pytest.mark.parametrize(
    ("source", "more", "told"),
    [
        ({"type": "retrieval", "data": "d"}, {"targets": ["sft", "rl"]}, "no rewrite to imitate"),
        ({"type": "conversations", "path": "p"}, {"targets": ["rl"]}, "need `source.truth`"),
        ({"type": "conversations", "path": "p", "truth": "("}, {"targets": ["rl"]}, "no regular expression"),
        ({"type": "conversations", "path": "p", "truth": "a"}, {"targets": ["rl"]}, "it has 0 groups"),
        ({"type": "choice", "path": "p", "train_ratio": 0.9, "dev_ratio": 0.1}, {"targets": ["rl"]}, "nothing for the"),
        ({"type": "choice", "path": "p"}, {"targets": ["rl", "rl"]}, "named twice"),
        ({"type": "choice", "path": "p"}, {"targets": []}, "at least 1 item"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_recipe_that_asks_for_what_its_source_cannot_give_is_refused(source, more, told):
    with pytest.raises(ValidationError, match=told):
        Recipe.model_validate({"stage": "rows", "out": "a/b", "source": source, **more})


def test_the_command_makes_the_rows_once_and_prints_their_place(tmp_path, root):
    path = lines(tmp_path / "rows.jsonl", questions(20))
    argv = ["data", "rows", "data/rows-choice", f"source.path={path}", f"out={tmp_path / 'out'}"]
    code = "import cli.commands.rows, cli.main; cli.main.main()"
    first, second = (
        subprocess.run([sys.executable, "-c", code, *argv], cwd=root, capture_output=True, text=True, check=False)
        for _ in range(2)
    )
    assert (first.returncode, first.stdout.strip()) == (0, str(tmp_path / "out")), first.stderr
    assert "sft: 19 train, 1 test rows" in first.stderr
    assert "up to date" in second.stderr


# as trainers open them


def test_rl_rows_open_as_verl_opens_them(tmp_path, tokenizer):
    # RLHFDataset: datasets.load_dataset, row["prompt"] into the chat template, extra_info["index"].
    from transformers import AutoTokenizer

    out, _ = of(tmp_path, questions(12), data_source="exam")
    files = str(out / "rl" / "train.parquet")
    rows = datasets.load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "cache"))["train"]
    chat = AutoTokenizer.from_pretrained(tokenizer)
    row = rows[0]
    assert [sorted(message) for message in row["prompt"]] == [["content", "role"]] * 2
    text = chat.apply_chat_template(row["prompt"], add_generation_prompt=True, tokenize=False)
    assert text.endswith(f"{row['prompt'][1]['content']}<|im_end|>\n<|im_start|>assistant\n")
    assert row["extra_info"] == {"split": "train", "index": 0, "question": row["extra_info"]["question"]}
    assert row["reward_model"]["style"] == "rule"


def test_sft_rows_open_as_verl_opens_them(tmp_path, tokenizer):
    # MultiTurnSFTDataset: pandas on pyarrow, nested values as lists; older ways give numpy arrays.
    import pandas
    from transformers import AutoTokenizer

    out, _ = of(tmp_path, questions(12))
    path = out / "sft" / "train.parquet"
    chat = AutoTokenizer.from_pretrained(tokenizer)
    as_arrow = pandas.read_parquet(path, dtype_backend="pyarrow")["messages"].tolist()[0]
    as_numpy = pandas.read_parquet(path)["messages"][0]
    assert isinstance(as_numpy, np.ndarray)
    texts = {chat.apply_chat_template(list(messages), tokenize=False) for messages in (as_arrow, as_numpy)}
    assert len(texts) == 1
    assert "<answer>" in texts.pop()


@pytest.mark.slow
def test_verl_itself_loads_the_rows(tmp_path, tokenizer, environment):
    python = environment("verl")
    agent = {"name": "tool_agent", "tools": ["search"]}
    out, stats = of(tmp_path, questions(12), agent=agent)
    code = (
        "import sys\n"
        "from omegaconf import OmegaConf\n"
        "from transformers import AutoTokenizer\n"
        "from verl.utils.dataset.multiturn_sft_dataset import MultiTurnSFTDataset\n"
        "from verl.utils.dataset.rl_dataset import RLHFDataset\n"
        "rl, sft, folder, cache = sys.argv[1:]\n"
        "chat = AutoTokenizer.from_pretrained(folder)\n"
        "config = OmegaConf.create(dict(cache_dir=cache, max_prompt_length=4096, filter_overlong_prompts_workers=1))\n"
        "data = RLHFDataset(data_files=rl, tokenizer=chat, config=config)\n"
        "row = data[0]\n"
        "assert row['tools_kwargs']['search']['create_kwargs']['question'] == row['extra_info']['question']\n"
        "config = OmegaConf.create(dict(max_length=4096, truncation='right', pad_mode='no_padding'))\n"
        "tuned = MultiTurnSFTDataset(parquet_files=sft, tokenizer=chat, config=config)\n"
        "row = tuned[0]\n"
        "learnt = chat.decode(row['input_ids'][row['loss_mask'].bool()])\n"
        "print('loaded', len(data), len(tuned), repr(learnt))\n"
    )
    files = [str(out / target / "train.parquet") for target in ("rl", "sft")]
    done = subprocess.run(
        [python, "-c", code, *files, str(tokenizer), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = next(line for line in done.stdout.splitlines() if line.startswith("loaded"))
    assert told.startswith(f"loaded {stats['rl']['rows']['train']} {stats['sft']['rows']['train']} '<answer>")


# real sets


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind", "read", "left_out"),
    [
        ("fineva_mcq_zh", "choice", 2454, 0),
        ("financeiq_mcq_zh_nc", "choice", 5716, 0),
        ("cflue_mcq_zh_nc", "choice", 3056, 0),
        ("tatqa_qa_en", "numeric", 1156, 512),
        ("gsm8k_en", "numeric", 7473, 0),
    ],
)
def test_real_sets_become_rows_without_a_bad_one(collection, tmp_path, name, kind, read, left_out):
    out, stats = made(tmp_path, {"type": kind, "path": collection(name)}, targets=["sft", "rl"])
    assert (stats["read"], sum(stats["left_out"].values()), stats["bad_rows"]) == (read, left_out, {})
    assert stats["questions_in_several_splits"] == 0
    for path in out.glob("*/*.parquet"):
        verl.check(path)
