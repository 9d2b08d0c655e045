"""A search engine of others behind a reward, for the length of a run."""

import logging

import pytest

from core.errors import ContractError
from core.llm.rewriting import template
from core.remote.faults import ServiceFailed
from core.reward.plain import plain
from core.reward.sample import Sample
from core.reward.scorer import Scorer
from core.rl import searching
from core.rl.spec import Rewarded

SAMPLES = [
    Sample("q", '<answer>{"query": "heart AND exercise"}</answer>', '{"105": 1}'),
    Sample("q", '<answer>{"query": "(heart"}</answer>', '{"105": 1}'),
    Sample("q", '<answer>{"query": "stroke"}</answer>', '{"105": 1}'),
]


def rewarded(engine, **retriever):
    parts = [{"type": "recall", "k": 10}]
    return Rewarded.model_validate({"reward": {"parts": parts, "retriever": retriever}, "engine": engine})


def test_a_reward_asks_the_engine_and_its_death_is_a_failure_and_no_zero(own_search_engines, tmp_path):
    engine = {**own_search_engines.specs["pubmed"], "texts": False, "retries": 0, "requests_per_minute": None}
    recipe = rewarded(engine)
    with searching.serving(recipe, tmp_path / "logs") as (reward, beat), Scorer(plain(reward)) as scorer:
        # 3 requests a second, 2 for each of 64 queries, 16 such requests in the line, and the engine's own 4 seconds
        assert reward.retriever.timeout_seconds == pytest.approx(4 + 2 * 64 * 16 / 3)
        assert (reward.retriever.max_queries, reward.retriever.retries) == (64, 2)
        assert [item.total for item in scorer.score(SAMPLES)] == [1, 0, 0]
        beat()
        own_search_engines.kill()
        other = Sample("q", '<answer>{"query": "aspirin"}</answer>', '{"105": 1}')
        with pytest.raises(ServiceFailed, match="the search engine PubMed gave no usable answer"):
            scorer.score([other])
    assert "a query finds nothing, for it was refused" in (tmp_path / "logs/search.log").read_text()


def test_operators_in_the_prompts_need_an_engine_that_parses_them(tmp_path):
    facts = {name: template.load("literature").facts()[name] for name in ("name", "digest")}  # as rows keep them
    searching.check_operators(rewarded({"type": "pubmed"}), facts)
    searching.check_operators(rewarded({"type": "http", "url": "http://x"}), template.load("general").facts())
    searching.check_operators(rewarded({"type": "http", "url": "http://x"}), None)
    with pytest.raises(ContractError, match="the engine `x` takes them for words"):
        searching.check_operators(rewarded({"type": "http", "url": "http://x"}), facts)
    parts = [{"type": "recall"}]
    ours = Rewarded.model_validate({"reward": {"parts": parts}, "index": tmp_path})
    with pytest.raises(ContractError, match="an index of ours takes them for words"):
        searching.check_operators(ours, facts)


def test_nobody_claims_to_know_what_documents_an_engine_has(caplog):
    with caplog.at_level(logging.WARNING):
        assert searching.check_ids(rewarded({"type": "pubmed"}), SAMPLES) is None
    assert "whether PubMed has the documents of the ground truth is not checked" in caplog.text
