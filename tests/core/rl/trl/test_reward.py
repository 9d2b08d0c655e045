"""The reward function as TRL calls it, and what it leaves in the log."""

import contextlib
import json
from types import SimpleNamespace

import pytest

from core.errors import Missing
from core.remote.faults import ServiceFailed
from core.reward import trials
from core.reward.plain import plain
from core.reward.sample import Sample
from core.reward.scorer import Scorer
from core.reward.spec import Reward as Spec
from core.rl.rollouts import Rollouts
from core.rl.trl.reward import Kept, Reward

GOOD = "<think>t</think><answer>{}</answer>"


def spec(*parts, **fields):
    return Spec.model_validate({"parts": parts, **fields})


class Asked:
    """A reward over rows whose truths are given; the first two are trained on. Tokens are the answer's text itself."""

    def __init__(self, reward, truths, folder, failure=None, **kept):
        samples = [Sample(f"q{number}", "", truth, where=f"row {number}") for number, truth in enumerate(truths)]
        keep = {"number": 16, "every": 1, "updates": 1, **kept}
        self.file = folder / "rollouts.jsonl"
        self.scorer = Scorer(plain(reward))
        self.reward = Reward(
            self.scorer,
            samples,
            train=2,
            decode=list,
            failure=lambda: failure,
            keep=Kept(Rollouts(self.file, done=0), **keep),
        )
        self.logged = {}

    def __call__(self, rows, texts, done=0, turns=None):
        completions = turns or [[{"role": "assistant", "content": text}] for text in texts]
        return self.reward(
            prompts=None,
            completions=completions,
            completion_ids=texts,
            row=rows,
            trainer_state=SimpleNamespace(global_step=done),
            log_metric=lambda name, value: self.logged.setdefault(name, value),
            log_extra=None,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.scorer.close()

    def lines(self):
        return [json.loads(line) for line in self.file.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def asked(tmp_path):
    """Make a reward: `asked(spec(…), truths)`."""
    with contextlib.ExitStack() as stack:
        yield lambda *args, **kept: stack.enter_context(Asked(*args, tmp_path, **kept))


def test_answers_earn_what_our_scorer_says_each_against_its_own_row(asked):
    run = asked(spec({"type": "exact_match"}), ["a", "b"])
    answers = [GOOD.format("a"), GOOD.format("b"), GOOD.format("b")]
    assert run([0, 0, 1], answers) == [1.0, 0.0, 1.0]


def test_parts_facts_and_answers_in_form_are_logged_as_means(asked, services):
    reward = spec(
        {"type": "format", "good": 1, "bad": -4},
        {"type": "recall", "k": 2, "name": "found"},
        retriever=services.retriever,
    )
    truth = json.dumps({"d1": 1, "d2": 1})
    run = asked(reward, [truth, truth])
    half = "<think>t</think><answer>" + json.dumps({"query": "d1 d9"}) + "</answer>"
    run([0, 0], [half, "nothing"])
    assert run.logged["reward/format"] == pytest.approx((1 - 4) / 2)
    assert run.logged["in_form"] == 0.5
    assert run.logged["found/recall"] == 0.25  # one of two documents, and nothing
    assert "reward" not in run.logged  # TRL's own


def test_a_failed_service_raises_and_no_answer_gets_a_number(asked, own_services):
    reward = spec({"type": "recall", "k": 2}, retriever=own_services.retriever)
    run = asked(reward, [json.dumps({"d1": 1})] * 2)
    own_services.kill()
    with pytest.raises(Missing, match="the retriever gave no usable answer"):
        run([0, 1], ["<answer>" + json.dumps({"query": "d1"}) + "</answer>"] * 2)
    assert not run.file.exists()


def test_an_answer_that_is_left_out_is_none_and_counts_in_no_mean(asked, tmp_path, services):
    judge = {"type": "semantic_match", "judge": services.judge, "prompt": str(tmp_path)}
    (tmp_path / "user.txt").write_text("$truth SAY $answer", encoding="utf-8")
    reward = spec(judge, on_failure="exclude", most_excluded=0.5)
    run = asked(reward, ["x", "y"])
    found = run([0, 1], [GOOD.format("10"), GOOD.format("nonsense")])
    assert found == [1.0, None]
    assert run.logged["reward/semantic_match"] == 1.0
    assert run.logged["excluded"] == 0.5
    assert [line["score"] for line in run.lines()] == [1.0, None]


def test_a_tool_that_got_no_answer_of_its_service_ends_the_run(asked):
    failure = ServiceFailed("retriever", "http://x", "gone", tried=1, seconds=0, whole=True)
    run = asked(spec({"type": "exact_match"}), ["a", "b"], failure=failure)
    with pytest.raises(ServiceFailed, match="gone"):
        run([0], [GOOD.format("a")])


def test_what_is_held_out_is_counted_apart(asked):
    run = asked(spec({"type": "exact_match"}), ["a", "b", "c", "d"])
    run([2, 3], [GOOD.format("c"), GOOD.format("x")])
    run([2], [GOOD.format("c")])
    assert run.reward.held_out["reward"] == [1.0, 0.0, 1.0]
    assert run.logged == {}
    assert not run.file.exists()


def test_rollouts_of_logged_steps_are_kept_as_replay_reads_them(asked):
    run = asked(spec({"type": "exact_match"}), ["a", "b"], number=3, every=5, updates=2)
    for done in range(0, 12, 2):  # steps 1 to 6
        run([0, 0, 1, 1], [GOOD.format("a")] * 4, done=done)
    found = list(trials.read(run.file))
    assert [trial.step for trial in found] == [1, 1, 1, 5, 5, 5]
    assert len({trial.group for trial in found}) == 4
    assert [trial.score for trial in found[:3]] == [1.0, 1.0, 0.0]
    assert found[2].sample.query == "q1"
    assert [(line["group"], line["sample"]) for line in run.lines()[:3]] == [("0", 0), ("0", 1), ("1", 0)]


def test_the_turns_of_an_answer_reach_the_reward_where_a_tool_was_called(asked):
    reward = spec({"type": "tool_use", "tools": {"search": ["query_list"]}})
    run = asked(reward, ["a", "b"])
    call = {"type": "function", "function": {"name": "search", "arguments": {"query_list": ["x"]}}}
    turns = [
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "name": "search", "content": "found"},
        {"role": "assistant", "content": "done"},
    ]
    assert run([0, 1], ["text", "text"], turns=[turns, turns[2:]]) == [1.0, 0.0]
    assert [("messages" in line) for line in run.lines()] == [True, False]


def test_a_resumed_session_drops_the_rollouts_of_steps_it_does_again_and_a_torn_line(tmp_path):
    file = tmp_path / "rollouts.jsonl"
    rollouts = Rollouts(file, done=0)
    rollouts.append([{"step": step} for step in (1, 10, 20)])
    with file.open("a", encoding="utf-8") as end:
        end.write('{"step": 2')
    Rollouts(file, done=10).append([{"step": 11}])
    assert [json.loads(line)["step"] for line in file.read_text(encoding="utf-8").splitlines()] == [1, 10, 11]
