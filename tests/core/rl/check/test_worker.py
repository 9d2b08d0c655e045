import json
import shutil

import pytest
from transformers import AutoTokenizer

from core.errors import ContractError, DataError, DrError, Missing, RecipeError
from core.remote.faults import ServiceFailed
from core.reward.faults import BadReward
from core.rl.check import run
from core.rl.check.worker import look

FORMAT = {"type": "format", "good": 0.1, "bad": -0.1}


def seen(recipe, tmp_path):
    tmp_path.mkdir(exist_ok=True)
    return list(look(recipe.model_dump(mode="json"), tmp_path))


def changed(made, tmp_path, **changes):
    """The model with another tokenizer: its chat template, or special tokens."""
    folder = tmp_path / "changed"
    shutil.copytree(made / "model", folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    (folder / "chat_template.jinja").unlink()
    for name, value in changes.items():
        setattr(tokenizer, name, value)
    tokenizer.save_pretrained(folder)
    return {"type": "pretrained", "path": str(folder)}


def python(tmp_path, body):
    file = tmp_path / "mine.py"
    file.write_text(f"def compute_reward(original_query, rewritten_query, ground_truth_docs):\n    return {body}\n")
    return {"parts": [{"type": "python", "file": str(file)}]}


def judged(url):
    server = {"type": "openai", "model": "m", "base_url": url}
    return {"parts": [FORMAT, {"type": "process_judge", "judge": {"server": server, "give_up_seconds": 20}}]}


def test_a_training_that_can_start_is_told_line_by_line(recipe, tmp_path):
    lines = run(recipe())
    heads = [line.partition(":")[0] for line in lines]
    assert heads == ["rows", "model", "prompts", "estimate", "disk", "documents", "reward", "reward"]
    assert lines[0] == "rows: 8 an epoch, 2 held out"
    # 3 epochs x 8 rows / 4 prompts = 6 steps; x 4 x 4 = 96 answers of 64 tokens at most
    assert lines[3] == "estimate: 6 steps x 4 prompts x 4 answers = 96 answers, at most 6,144 tokens"
    assert lines[5] == "documents: 10 in the ground truths, 0 of them not in the index"
    # Only the first query is a word of its document: the query itself, in form, finds that one.
    assert lines[6].startswith("reward: 1.1 for an answer in form (format 0.1, recall 1), ")
    assert lines[7].startswith("reward: 0.1 for an answer in form (format 0.1, recall 0), ")
    assert not (tmp_path / "out").exists() and not (tmp_path / "out.partial").exists()


@pytest.mark.slow
def test_a_failure_comes_out_of_the_process_with_its_sentence_and_exit_code(recipe, made):
    with pytest.raises(DrError, match="the index lacks 8 of 11 documents") as raised:
        run(recipe(data={"sets": [{"rows": made / "other-rows"}]}))
    assert raised.value.exit_code == ContractError.exit_code


def test_documents_that_the_index_lacks_are_refused_with_their_share(recipe, made, tmp_path):
    with pytest.raises(ContractError, match=r"lacks 8 of 11 documents of the ground truth \(72.7%\)"):
        seen(recipe(data={"sets": [{"rows": made / "other-rows"}]}), tmp_path)


def test_a_model_without_chat_template_is_refused(recipe, made, tmp_path):
    with pytest.raises(DrError, match="the model has no chat template"):
        seen(recipe(model=changed(made, tmp_path, chat_template=None)), tmp_path)


def test_a_template_that_cannot_render_a_prompt_of_the_rows_is_told(recipe, made, tmp_path):
    template = (made / "model/chat_template.jinja").read_text()
    refusing = "{%- if 'rewrite' in messages[0].content %}{{ raise_exception('no rewriting') }}{%- endif %}" + template
    with pytest.raises(DataError, match="the chat template cannot render a prompt: no rewriting"):
        seen(recipe(model=changed(made, tmp_path, chat_template=refusing)), tmp_path)


def test_a_prompt_longer_than_allowed_is_refused_with_the_share(recipe, tmp_path):
    with pytest.raises(ContractError, match="10 of 10 prompts are longer than"):
        seen(recipe(generation={"max_prompt_length": 100}), tmp_path)


def test_a_prompt_and_answer_longer_than_the_model_reads_are_refused(recipe, tmp_path):
    with pytest.raises(ContractError, match="the model reads 1024 tokens"):
        seen(recipe(generation={"max_prompt_length": 900, "max_new_tokens": 1000}), tmp_path)


def test_a_thought_that_the_template_begins_must_be_known_to_the_reward(recipe, made, tmp_path):
    template = (made / "model/chat_template.jinja").read_text()
    begun = template.replace(
        "'<|im_start|>assistant\\n' }}{%- endif %}", "'<|im_start|>assistant\\n<think>\\n' }}{%- endif %}"
    )
    model = changed(made, tmp_path, chat_template=begun)
    with pytest.raises(ContractError, match="the chat template ends the prompt with `<think>`") as raised:
        seen(recipe(model=model), tmp_path / "a")
    assert raised.value.hint == "reward.prefilled_think=true"
    reward = {"parts": [FORMAT, {"type": "recall", "k": 1}], "prefilled_think": True}
    assert "reward: 1.1" in "\n".join(seen(recipe(model=model, reward=reward), tmp_path / "b"))
    with pytest.raises(ContractError, match="the reward believes that the prompt ends with `<think>`"):
        seen(recipe(reward=reward), tmp_path / "c")


def test_a_special_token_that_the_form_needs_is_a_warning(recipe, made, tmp_path):
    model = changed(made, tmp_path, extra_special_tokens=["<answer>", "</answer>"])
    (warning, *_) = [line for line in seen(recipe(model=model), tmp_path) if line.startswith("warning: ")]
    assert warning.startswith("warning: `<answer>` is a special token here: trainers leave it out")


@pytest.mark.parametrize("trainer", ["trl", "verl"])
def test_a_tool_is_told_to_the_model_and_its_calls_are_read_back(recipe, made, tmp_path, trainer):
    from core.rl.check.asking import check_tool

    tokenizer = AutoTokenizer.from_pretrained(made / "model")
    made_for = recipe(tool={}, trainer={"type": trainer})
    check_tool(made_for, tokenizer, "search query_list", "model")
    if trainer == "trl":
        lines = "\n".join(seen(made_for, tmp_path))
        assert "tool: the model is told of `search`, and its calls are read" in lines
        assert "search: `search` answers, " in lines or "finds nothing" in lines


def test_a_template_that_does_not_tell_of_tools_is_refused(recipe, made, tmp_path):
    plain = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:"
    with pytest.raises(ContractError, match="the model's chat template does not tell of tools"):
        seen(recipe(tool={}, model=changed(made, tmp_path, chat_template=plain)), tmp_path)


@pytest.mark.parametrize(("body", "told"), [("float('nan')", "nan"), ("[1.0]", "list")])
def test_a_reward_that_is_no_number_is_refused(recipe, tmp_path, body, told):
    with pytest.raises(BadReward, match=told):
        seen(recipe(reward=python(tmp_path, body), index=None), tmp_path)


def test_a_judge_that_answers_with_a_word_is_refused(recipe, answered, tmp_path, llm_server):
    answer = {"choices": [{"message": {"content": "eight"}}]}
    with llm_server(body=json.dumps(answer)) as server:
        with pytest.raises(ServiceFailed, match="no grade from 0 to 10: 'eight'"):
            seen(recipe(reward=judged(server.url), index=None, data=answered), tmp_path)
        assert len(server.tries()) <= 6  # two questions, three tries of each


def test_a_judge_that_grades_is_asked_once_for_each_answer(recipe, answered, tmp_path, llm_server):
    answer = {"choices": [{"message": {"content": "8"}}]}
    with llm_server(body=json.dumps(answer)) as server:
        lines = seen(recipe(reward=judged(server.url), index=None, data=answered), tmp_path)
    assert "reward: 0.9 for an answer in form (format 0.1, process_judge 0.8)" in "\n".join(lines)
    assert "up to 96 questions to judges" in "\n".join(lines)


def test_an_empty_ground_truth_is_refused(recipe, made, tmp_path):
    reward = {"parts": [FORMAT, {"type": "sql_execution", "databases": str(made)}]}
    with pytest.raises(ContractError, match="ground truths"):
        seen(recipe(reward=reward, index=None), tmp_path)


def test_an_interpreter_without_verl_is_told_first(recipe, tmp_path):
    trainer = {"type": "verl", "device": "cpu", "python": str(tmp_path / "no/python")}
    with pytest.raises(Missing, match="there is no interpreter with verl"):
        seen(recipe(trainer=trainer), tmp_path)


def test_a_misspelt_override_is_told_with_what_was_meant(recipe, tmp_path):
    with pytest.raises(RecipeError, match="`num_generation` is no argument of GRPOConfig") as raised:
        seen(recipe(trainer={"type": "trl", "overrides": {"num_generation": 2}}), tmp_path)
    assert "num_generations" in raised.value.hint


def test_batches_that_cannot_be_cut_are_refused(recipe, tmp_path):
    with pytest.raises(RecipeError, match="a step of 16 rows cannot be cut into 5 at a time"):
        seen(recipe(trainer={"type": "trl", "micro_batch_size": 5}), tmp_path)


def test_a_split_without_rows_is_refused(recipe, made, tmp_path):
    with pytest.raises(DataError, match="no rl rows of the split `test`"):
        seen(recipe(data={"sets": [{"rows": made / "data-rows"}], "split": "test"}), tmp_path)


def test_a_disk_without_room_is_told_with_what_is_needed(recipe, tmp_path, small_disk):
    with pytest.raises(DrError, match=r"no room on the disk: 0\.03 GiB for 3 checkpoints"):
        seen(recipe(out=small_disk / "out"), tmp_path)
