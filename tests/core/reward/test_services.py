"""A service that fails is asked again, within bounds, and its failure is never a score."""

import threading
import time

import pytest

from core.errors import UsageError
from core.remote.faults import ServiceFailed, ServiceRefused
from core.remote.pace import Pace, pause
from core.reward.sample import Sample

RECALL = {"type": "recall", "k": 10}
GOOD = '<answer>{"query": "d1 d2"}</answer>'


def samples(count, response=GOOD):
    return [Sample("q", response.replace("d1", f"d1 x{number}"), '{"d1": 1}') for number in range(count)]


def test_a_batch_is_one_request_and_the_same_query_is_asked_once(scorer, services):
    reward = scorer(RECALL)
    reward.score([*samples(50), *samples(50)])
    (note,) = services.asked()
    assert len(note["body"]["queries"]) == 50
    assert note["body"]["return_scores"] is True
    reward.score(samples(50))  # remembered
    assert services.asked() == []


def test_what_is_remembered_is_bounded(scorer, services):
    reward = scorer(RECALL, retriever={**services.retriever, "remembered_hits": 0})
    for _ in range(2):
        reward.score(samples(1))
    assert len(services.asked()) == 2


def test_a_request_holds_no_more_documents_than_it_may(scorer, services):
    reward = scorer({"type": "recall", "k": 100}, retriever={**services.retriever, "max_hits": 1000})
    assert [item.total for item in reward.score(samples(25))] == [1] * 25
    assert sorted(len(note["body"]["queries"]) for note in services.asked()) == [5, 10, 10]


def test_a_request_is_no_longer_than_a_server_takes(scorer, services):
    reward = scorer(RECALL, retriever={**services.retriever, "query_max_characters": 2_000_000})
    rows = [Sample("q", f'<answer>{{"query": "d1 {letter * 1_500_000}"}}</answer>', "d1") for letter in "abc"]
    assert [item.total for item in reward.score(rows)] == [1] * 3
    assert sorted(len(note["body"]["queries"]) for note in services.asked()) == [1, 2]


def test_connections_stay_open(scorer, services):
    reward = scorer(RECALL)
    for number in range(3):
        reward.score(samples(1, GOOD.replace("d2", f"d{number}x")))
    notes = services.asked()
    assert len(notes) == 3
    assert len({note["client"] for note in notes}) == 1


def test_a_blank_query_and_one_that_is_too_long_find_nothing_and_are_not_sent(scorer, services):
    reward = scorer(RECALL, retriever={**services.retriever, "query_max_characters": 10})
    long, none = f'<answer>{{"query": "d1 {"x" * 10}"}}</answer>', "nothing"
    assert [item.total for item in reward.score([*samples(1), Sample("q", long, "d1"), Sample("q", none, "d1")])] == [
        1, 0, 0,
    ]  # fmt: skip
    assert [note["body"]["queries"] for note in services.asked()] == [["d1 x0 d2"]]


@pytest.mark.parametrize("fault", ["500", "503", "429", "drop", "short", "html", "slow"])
def test_a_failure_that_passes_is_passed_over(scorer, services, fault):
    services.fail(fault)
    (item,) = scorer(RECALL).score(samples(1))
    assert item.total == 1
    assert [note["fault"] for note in services.asked()] == [fault, None]


def test_retry_after_is_honoured(scorer, services):
    services.fail("503")
    scorer(RECALL).score(samples(1))
    first, second = services.asked()
    assert second["at"] - first["at"] >= 0.2


def test_tries_are_bounded_in_number(scorer, services):
    services.fail("always 503")
    with pytest.raises(ServiceFailed, match=r"retriever.*asked 3 times.*HTTP 503: as it was told") as caught:
        scorer(RECALL).score(samples(1))
    assert (caught.value.service, caught.value.tried, caught.value.whole) == ("retriever", 3, True)
    assert caught.value.exit_code == 3
    assert len(services.asked()) == 3


def test_tries_are_bounded_in_time(scorer, services):
    services.fail("always slow")
    slow = {**services.retriever, "retries": 100, "give_up_seconds": 1.5}
    started = time.monotonic()
    with pytest.raises(ServiceFailed, match="no answer in"):
        scorer(RECALL, retriever=slow).score(samples(1))
    assert time.monotonic() - started < 4


def test_an_answer_that_ends_too_early_is_told_as_such(scorer, services):
    services.fail("always short")
    with pytest.raises(ServiceFailed, match="IncompleteRead"):
        scorer(RECALL).score(samples(1))


def test_a_refused_question_is_not_asked_again(scorer, services):
    services.fail("400")
    with pytest.raises(ServiceRefused, match="refuses the question: HTTP 400") as caught:
        scorer(RECALL).score(samples(1))
    assert caught.value.exit_code == 4
    assert len(services.asked()) == 1


def test_a_closed_door_is_told_at_once(scorer, services):
    services.fail("401")
    with pytest.raises(ServiceFailed, match="asked once: HTTP 401"):
        scorer(RECALL).score(samples(1))


@pytest.mark.parametrize(("fault", "what"), [("one list", "2 lists for 1 queries"), ("no id", "without document id")])
def test_another_protocol_is_refused_not_scored(scorer, services, fault, what):
    services.fail(f"always {fault}")
    with pytest.raises(ServiceRefused, match=what):
        scorer(RECALL).score(samples(1))


def test_a_service_that_dies_in_the_middle_leaves_no_score(scorer, own_services):
    reward = scorer(RECALL, retriever=own_services.retriever)
    assert reward.score(samples(1))[0].total == 1
    own_services.kill()
    with pytest.raises(ServiceFailed, match="retriever") as first:
        reward.score(samples(2))
    with pytest.raises(ServiceFailed) as second:
        reward.score(samples(3))
    assert second.value is first.value  # told at once from then on


def test_excluding_samples_does_not_hide_a_retriever_that_is_gone(scorer, own_services):
    reward = scorer(
        RECALL, retriever={**own_services.retriever, "give_up_seconds": 1}, on_failure="exclude", most_excluded=1
    )
    own_services.kill()
    with pytest.raises(ServiceFailed):
        reward.score(samples(2))


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://x", "http://"])
def test_an_address_that_is_none_is_refused(scorer, url):
    with pytest.raises(UsageError, match="address is none"):
        scorer(RECALL, retriever={"url": url})


def test_threads_share_a_scorer(scorer, services):
    reward, totals = scorer(RECALL), []

    def work(number):
        totals.append(reward.score(samples(3, GOOD.replace("d2", f"t{number}")))[0].total)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert totals == [1] * 16


def test_a_pause_grows_unless_the_server_says_how_long():
    assert all(0 <= pause(failures, None) <= min(30, 0.5 * 2 ** (failures - 1)) for failures in range(1, 12))
    assert 2 <= pause(1, "2") <= 2.2
    assert pause(1, "Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert 0 <= pause(1, "soon") <= 0.5
    assert 0 <= pause(1, "nan") <= 0.5


def test_an_even_pace_spreads_the_turns():
    pace, started = Pace(600), time.monotonic()  # one in 0.1 s
    for number in range(3):
        seconds = pace.turn()
        assert seconds <= 0.1 * number + 1e-6
        assert time.monotonic() + seconds >= started + 0.1 * number
    assert Pace(None).turn() == 0
