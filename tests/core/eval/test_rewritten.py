"""Original queries against rewritten ones, from `dr rewrite` by a real server to what `dr eval` prints."""

import json
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from pydantic import ValidationError
from scipy.stats import permutation_test
from transformers import AutoModelForCausalLM, AutoTokenizer

from core import artifact
from core.errors import ContractError, GateFailed
from core.eval import rewritten, score
from core.eval.recipe import Recipe
from core.formats import beir
from core.recipe import ArtifactRecipe
from core.retrieval.index import build
from core.retrieval.spec import Bm25
from core.text.spec import English
from core.types import Document, Hit, Query

NUMBERS = range(16)
NAMES = [f"{a}{b}" for a in ("alp", "bet", "gam", "del") for b in ("ax", "ox", "ix", "ex")]
DOCUMENTS = [Document(f"d{n:02}", f"report on {NAMES[n]}") for n in NUMBERS]
QUERIES = [Query(f"q{n:02}", f"slang{n:02} {NAMES[n] if n % 2 else 'thing'}") for n in NUMBERS]
"""Every second query holds its document's name; the others share no word with any document."""
MEASURES = ["recall@1", "mrr@10"]


class IndexRecipe(ArtifactRecipe):
    """Stands for the one of `dr index`."""

    stage: str = "index"


@pytest.fixture(scope="module")
def world(tmp_path_factory, llm_server):
    """Data and index, and `rewrite(name, said)`: an artifact of `dr rewrite` whose model answers `said(number)`."""
    home = tmp_path_factory.mktemp("world")

    def fill(_, work):
        beir.write_documents(work.path, DOCUMENTS)
        beir.write_queries(work.path, QUERIES)
        beir.write_qrels(work.path, "test", {f"q{n:02}": {f"d{n:02}": 1} for n in NUMBERS})
        beir.write_qrels(work.path, "dev", {"q00": {"d00": 1}})

    artifact.make(ArtifactRecipe(stage="data", out=home / "data"), fill)
    corpus = artifact.read(home / "data")["files"]["corpus.jsonl"]["sha256"]

    def index(_, work):
        build(DOCUMENTS, Bm25(analyzer=English(type="english")), work.path)
        work.stats["corpus"] = corpus

    artifact.make(IndexRecipe(out=home / "index"), index)

    def rewrite(name, said, **more):
        script = {f"slang{n:02}": said(n) for n in NUMBERS}
        (home / "script.json").write_text(json.dumps(script))
        with llm_server(script=home / "script.json") as server:
            llm = {"server": {"type": "openai", "model": "m", "base_url": server.url}, "retries": 0}
            fields = {"stage": "rewrite", "out": name, "queries": {"type": "corpus", "data": "data"}, "llm": llm}
            (home / f"{name}.yaml").write_text(json.dumps({**fields, **more}))
            dr(home, "rewrite", f"{name}.yaml")
        return name

    rewrite("right", lambda n: answer(NAMES[n]))
    rewrite("wrong", lambda n: answer(NAMES[(n + 1) % len(NAMES)]))
    rewrite("operators", lambda n: answer(f"{NAMES[n]} OR {NAMES[0]}"), prompts="literature")
    rewrite("mixed", lambda n: answer(NAMES[n]) if n < 9 else "I cannot.")
    return SimpleNamespace(home=home, rewrite=rewrite)


def answer(query):
    return f'<think>t</think><answer>{{"query": "{query}"}}</answer>'


def dr(home, *argv, status=0):
    command = [sys.executable, "-m", "cli.main", *argv]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"})
    assert done.returncode == status, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def recipe(world, out, rewrites, **more):
    system = {"type": "index", "path": world.home / "index"}
    fields = {"stage": "eval", "data": world.home / "data", "out": out, "system": system, "measures": MEASURES}
    rewrites = rewrites and world.home / rewrites
    return Recipe.model_validate({**fields, "rewrites": rewrites, "depth": 10, **more})


def evaluate(world, out, rewrites, **more):
    made = recipe(world, out, rewrites, **more)
    artifact.make(made, score.run)
    return artifact.read(out)["stats"]


def row(text, measure):
    """The cells of a measure in the last table."""
    line = [line for line in text.splitlines() if line.startswith(measure)][-1]
    return re.split(r"  +", line)


def test_words_of_the_document_are_better_and_the_table_says_so(world, tmp_path):
    (tmp_path / "e.yaml").write_text(recipe(world, tmp_path / "e", "right").model_dump_json())
    out, _ = dr(tmp_path, "eval", "e.yaml")
    # eight of sixteen queries held the name, all rewritten ones do: 0.5 -> 1, eight wins, p = 2 / 2^8, twice by Holm
    _, before, after, difference, _, _, *test = row(out, "recall@1")
    assert (before, after, difference) == ("0.5000", "1.0000", "0.5000")
    assert test == ["0.0078", "0.0156", "8", "0", "better"]
    header = next(line for line in out.splitlines() if "original" in line and line.startswith("measure"))
    assert "rewritten - original" in header
    assert "16 of 16 rewrites differ from their query" in out


def test_the_p_value_is_that_of_an_exact_paired_permutation_test(world, tmp_path):
    stats = evaluate(world, tmp_path / "e", "wrong", measures=["recall@1"])
    scores = [
        [json.loads(line)["recall@1"] for line in (folder / "per_query.jsonl").read_text().splitlines()]
        for folder in (tmp_path / "e/original", tmp_path / "e")
    ]
    theirs = permutation_test(scores, lambda a, b: (b - a).mean(), permutation_type="samples", n_resamples=70_000)
    contrast = stats["rewrites"]["contrasts"]["rewritten"]["recall@1"]
    assert contrast["p_value"] == pytest.approx(theirs.pvalue, abs=1e-12)
    assert (contrast["verdict"], contrast["wins"], contrast["losses"]) == ("worse", 0, 8)


def test_the_rewritten_queries_are_the_evaluations_own_result_and_the_original_stands_beside(world, tmp_path):
    stats = evaluate(world, tmp_path / "e", "right")
    assert score.read_scores(tmp_path / "e")["measures"] == {"recall@1": 1, "mrr@10": 1}
    assert score.read_scores(tmp_path / "e/original")["measures"] == {"recall@1": 0.5, "mrr@10": 0.5}
    plain = evaluate(world, tmp_path / "plain", None)
    assert stats["rewrites"]["scores"]["original"] == plain["measures"]
    for name in ("run.trec", "per_query.jsonl"):
        assert (tmp_path / "e/original" / name).read_bytes() == (tmp_path / "plain" / name).read_bytes()


def test_the_gate_holds_the_rewritten_scores(world, tmp_path):
    held = recipe(world, tmp_path / "e", "wrong", expect={"recall@1": 0.4})
    artifact.make(held, score.run)
    with pytest.raises(GateFailed, match=r"recall@1 is 0\.0000, the recipe expects at least 0\.4"):
        score.gate(held)


def test_fused_both_are_searched_and_each_way_is_held_against_the_original(world, tmp_path):
    stats = evaluate(world, tmp_path / "e", "wrong", fuse="rrf", measures=["recall@10", "recall@1"])
    # a wrong rewrite loses the document; together with the original query it is found again
    scores = {way: measured["recall@10"] for way, measured in stats["rewrites"]["scores"].items()}
    assert scores == {"original": 0.5, "rewritten": 0, "fused": 0.5}
    assert stats["measures"] == stats["rewrites"]["scores"]["fused"]
    assert list(stats["rewrites"]["contrasts"]) == ["rewritten", "fused"]
    assert score.read_scores(tmp_path / "e/rewritten")["measures"]["recall@10"] == 0
    (tmp_path / "e.yaml").write_text(
        recipe(world, "e", "wrong", fuse="rrf", measures=["recall@10", "recall@1"]).model_dump_json()
    )
    out, _ = dr(tmp_path, "eval", "e.yaml")
    assert "verdict on rewritten" in out
    assert "verdict on fused" in out


def test_ranks_are_fused_by_reciprocal_rank_with_k_60():
    original, other = ({"q": [Hit(id_, 9.0) for id_ in ids]} for ids in ("abc", "cd"))
    found = rewritten.together_by_rank(original, other, 3)["q"]
    # c: 1/63 + 1/61; a: 1/61; b and d: 1/62, the tie by id
    assert [hit.document_id for hit in found] == ["c", "a", "b"]
    assert found[0].score / found[1].score == pytest.approx((1 / 63 + 1 / 61) * 61)


def test_kept_queries_are_told_with_their_share(world, tmp_path):
    (tmp_path / "e.yaml").write_text(recipe(world, "e", "mixed").model_dump_json())
    out, _ = dr(tmp_path, "eval", "e.yaml")
    assert (
        "9 of 16 rewrites differ from their query; 43.8 % stand because the answer could not be used (no answer)" in out
    )


def test_operators_are_refused_on_an_engine_that_takes_them_for_words(world, tmp_path):
    (tmp_path / "e.yaml").write_text(recipe(world, "e", "operators").model_dump_json())
    _, err = dr(tmp_path, "eval", "e.yaml", status=4)
    assert "the prompt template `literature` writes Boolean operators, and bm25 takes them for words" in err
    assert "prompts: general" in err
    assert not (tmp_path / "e").exists()


def test_rewrites_of_other_queries_are_no_pairs(world, tmp_path):
    with pytest.raises(ContractError, match="15 judged queries are not among those that were rewritten: 'q01'"):
        world.rewrite("few", lambda n: answer("x"), queries={"type": "corpus", "data": "data", "split": "dev"})
        evaluate(world, tmp_path / "e", "few")
    (world.home / "other.jsonl").write_text("".join(f'{{"id": "{q.id}", "text": "{q.text}?"}}\n' for q in QUERIES))
    world.rewrite("other", lambda n: answer("x"), queries={"type": "file", "path": "other.jsonl"})
    with pytest.raises(ContractError, match="16 judged queries had other words when they were rewritten"):
        evaluate(world, tmp_path / "e", "other")


def test_rewrites_that_find_nothing_at_all_lose_every_query_and_stop_nothing(world, tmp_path):
    world.rewrite("nothing", lambda n: answer("zzz"))
    stats = evaluate(world, tmp_path / "e", "nothing")
    assert (stats["measures"]["recall@1"], stats["missing"]) == (0, 16)


@pytest.fixture(scope="module")
def learned(tiny_qwen3, tmp_path_factory):
    """A tiny model that knows by heart what each query of the world means, and the template that it knows it by."""
    home = tmp_path_factory.mktemp("learned")
    (home / "prompt.txt").write_text("$query")
    tokenizer = AutoTokenizer.from_pretrained(tiny_qwen3)
    model = AutoModelForCausalLM.from_pretrained(tiny_qwen3, dtype=torch.float32)
    head, middle = "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"
    asked = [tokenizer(f"{head}{query.text}{middle}")["input_ids"] for query in QUERIES]
    said = [tokenizer(f'{{"query": "{NAMES[n]}"}}<|im_end|>')["input_ids"] for n in NUMBERS]
    longest = max(map(len, map(list.__add__, asked, said)))
    ids = torch.tensor(
        [one + other + [0] * (longest - len(one + other)) for one, other in zip(asked, said, strict=True)]
    )
    labels = ids.clone()
    for row, (one, other) in enumerate(zip(asked, said, strict=True)):
        labels[row, : len(one)] = labels[row, len(one + other) :] = -100
    optimiser = torch.optim.AdamW(model.parameters(), 4e-3)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so small a model is slower with more
    for _ in range(400):
        loss = model(ids, labels=labels).loss
        if loss < 0.02:
            break
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    torch.set_num_threads(threads)
    assert loss < 0.02
    model.save_pretrained(home / "model")
    tokenizer.save_pretrained(home / "model")
    return home


def test_a_rewriter_of_the_recipe_rewrites_the_queries_itself_and_the_three_ways_are_compared(world, learned, tmp_path):
    llm = {"server": {"type": "local", "model": str(learned / "model")}, "temperature": 0, "max_tokens": 32}
    rewriter = {"llm": llm, "prompts": str(learned / "prompt.txt")}
    measures = ["recall@10", "ndcg@10", "mrr"]
    asked = recipe(world, "e", None, rewriter=rewriter, fuse="rrf", measures=measures)
    (tmp_path / "e.yaml").write_text(asked.model_dump_json())
    out, err = dr(tmp_path, "eval", "e.yaml")
    stats = artifact.read(tmp_path / "e")["stats"]["rewrites"]
    rows = [json.loads(line) for line in (tmp_path / "e/rewrites.jsonl").read_text().splitlines()]
    assert [row["rewritten"] for row in rows] == [NAMES[n] for n in NUMBERS]
    # eight of sixteen queries held the name, all rewritten ones do: 0.5 -> 1, eight wins
    means = {way: scores["recall@10"] for way, scores in stats["scores"].items()}
    assert means == {"original": 0.5, "rewritten": 1.0, "fused": 1.0}
    assert stats["scores"]["original"].keys() == {"recall@10", "ndcg@10", "mrr@10"}
    assert stats["contrasts"]["rewritten"]["recall@10"]["wins"] == 8
    assert "verdict on rewritten" in out
    assert "verdict on fused" in out
    assert "16 of 16 rewrites differ from their query" in out
    assert "Traceback" not in err


def test_a_rewriter_scores_as_the_artifact_of_the_same_answers(world, tmp_path, llm_server):
    said = {f"slang{n:02}": answer(NAMES[n]) for n in NUMBERS}
    (tmp_path / "script.json").write_text(json.dumps(said))
    with llm_server(script=tmp_path / "script.json") as server:
        rewriter = {"llm": {"server": {"type": "openai", "model": "m", "base_url": server.url}}}
        found = evaluate(world, tmp_path / "e", None, rewriter=rewriter)
    other = evaluate(world, tmp_path / "other", "right")
    for name in ("scores", "contrasts", "changed", "fallbacks", "prompts"):
        assert found["rewrites"][name] == other["rewrites"][name]
    assert (tmp_path / "e/run.trec").read_bytes() == (tmp_path / "other/run.trec").read_bytes()


def test_a_stopped_rewriter_goes_on_with_the_answers_that_it_has(world, tmp_path, llm_server):
    fields = {"rewriter": {"llm": {"server": {"type": "openai", "model": "m"}, "retries": 0, "concurrency": 1}}}
    said = {f"slang{n:02}": answer(NAMES[n]) for n in NUMBERS}
    (tmp_path / "script.json").write_text(json.dumps(said | {"slang09": {"message": {"content": None}}}))

    def run(server, status):
        fields["rewriter"]["llm"]["server"]["base_url"] = server.url
        (tmp_path / "e.yaml").write_text(recipe(world, "e", None, **fields).model_dump_json())
        return dr(tmp_path, "eval", "e.yaml", status=status)

    with llm_server(script=tmp_path / "script.json") as server:
        run(server, 3)
    (tmp_path / "script.json").write_text(json.dumps(said))
    with llm_server(script=tmp_path / "script.json") as server:
        run(server, 0)
        assert 0 < len(server.tries()) < len(QUERIES)


def test_operators_of_a_rewriter_are_refused_before_the_model_is_asked(world, tmp_path, llm_server):
    with llm_server() as server:
        llm = {"server": {"type": "openai", "model": "m", "base_url": server.url}}
        with pytest.raises(ContractError, match="writes Boolean operators"):
            evaluate(world, tmp_path / "e", None, rewriter={"llm": llm, "prompts": "literature"})
        assert server.tries() == []


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"rewrites": "right", "rewriter": {"llm": {"server": {"type": "openai"}}}}, "are both given"),
        ({"rewrites": "right", "system": {"type": "run", "path": "x"}}, "must be of type `index`"),
        ({"fuse": "rrf"}, "there are no `rewrites`"),
        ({"rewrites": "right", "fuse": "sum"}, "rrf"),
    ],
)
def test_what_cannot_be_searched_with_is_refused(more, told, tmp_path):
    fields = {"stage": "eval", "data": "data", "out": "e", "system": {"type": "index", "path": "index"}}
    with pytest.raises(ValidationError, match=told):
        Recipe.model_validate({**fields, **more})
