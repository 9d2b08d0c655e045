"""What verl calls: one response at a time, plain or beside others."""

import asyncio
import itertools
import json
import time

import pytest

from core.errors import ContractError, UsageError
from core.remote.faults import ServiceFailed
from core.reward.door import compute_score, compute_score_async
from core.reward.faults import BadTruth
from core.reward.plain import write
from core.reward.spec import Reward

NUMBERS = itertools.count()


@pytest.fixture
def door(services, tmp_path):
    """Write a reward: `door(part, …)` gives the path of its JSON."""

    def make(*parts, **fields):
        path = tmp_path / f"reward{next(NUMBERS)}.json"
        write(Reward.model_validate({"parts": parts, "retriever": services.retriever, **fields}), path)
        return str(path)

    return make


def test_one_response_becomes_a_dict_of_numbers_with_the_same_keys(door):
    path = door({"type": "format"}, {"type": "recall"})
    good = compute_score("s", '<think>t</think><answer>{"query": "d1"}</answer>', '{"d1": 1}', {}, reward=path)
    bad = compute_score("s", "", '{"d1": 1}', None, reward=path)
    assert good == {"score": 2, "format": 1, "recall": 1, "format/steps": 0, "recall/recall": 1}
    assert bad == {"score": -4, "format": -4, "recall": 0, "format/steps": 0, "recall/recall": 0}
    assert list(good) == list(bad)


def test_connections_and_answers_are_kept_between_calls(door, services):
    path = door({"type": "recall"})
    for query in ("a", "b", "a"):
        compute_score("s", f'<answer>{{"query": "{query}"}}</answer>', "d1", reward=path)
    notes = services.asked()
    assert [note["body"]["queries"] for note in notes] == [["a"], ["b"]]
    assert len({note["client"] for note in notes}) == 1


def test_the_row_says_what_was_asked(door, tmp_path):
    code = "def compute_reward(query, rewritten, truth):\n    return float(query == 'who?')\n"
    (tmp_path / "own.py").write_text(code)
    path = door({"type": "python", "file": str(tmp_path / "own.py")})
    assert compute_score("s", "", "d1", {"question": "who?", "index": 1}, reward=path)["score"] == 1


def test_many_wait_beside_each_other(door, services, prompt):
    judge = {**services.judge, "concurrency": 32, "timeout_seconds": 10, "give_up_seconds": 20}
    path = door({"type": "semantic_match", "prompt": prompt("$answer"), "judge": judge})
    services.fail(*["slow"] * 32)

    async def main():
        rows = (compute_score_async("s", f"<answer>{n / 10}</answer>", "t", reward=path) for n in range(32))
        return await asyncio.gather(*rows)

    started = time.monotonic()
    scores = asyncio.run(main())
    assert [numbers["score"] for numbers in scores] == pytest.approx([n / 100 for n in range(32)])
    assert time.monotonic() - started < 32 * 3 / 4  # one after the other: 96 s


def test_a_failure_raises(door, services):
    path = door({"type": "recall"})
    services.fail("always 503")
    with pytest.raises(ServiceFailed):
        compute_score("s", '<answer>{"query": "a"}</answer>', "d1", reward=path)
    with pytest.raises(BadTruth, match="no relevant document"):
        compute_score("s", "", "{}", {"index": 5}, reward=door({"type": "recall"}))


def test_a_failure_can_be_handed_from_worker_to_driver(door, services):
    import pickle

    services.fail("always 503")
    with pytest.raises(ServiceFailed) as caught:
        compute_score("s", '<answer>{"query": "a"}</answer>', "d1", reward=door({"type": "recall"}))
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.render(), again.whole) == (caught.value.render(), caught.value.whole)


def test_leaving_samples_out_is_refused_where_the_trainer_cannot(door):
    with pytest.raises(ContractError, match="on_failure"):
        compute_score("s", "", "d1", reward=door({"type": "f1"}, on_failure="exclude"))


def test_nobody_says_which_reward():
    with pytest.raises(UsageError, match="nobody says which reward"):
        compute_score("s", "", "d1")


def test_numpy_free_json_goes_in_and_out(door):
    numbers = compute_score("s", "<answer>x</answer>", "x", reward=door({"type": "f1"}))
    assert json.loads(json.dumps(numbers)) == numbers
