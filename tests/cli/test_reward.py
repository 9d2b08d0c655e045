"""`dr reward` as a user meets it."""

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GOOD = "<think>t</think><answer>x</answer>"


def dr(*arguments, cwd, **environment):
    command = [sys.executable, "-m", "cli.main", "reward", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)


@pytest.fixture
def rollouts(tmp_path):
    """Two prompts, two responses each; the first gets both right."""
    rows = [("a", GOOD, 1.0), ("a", GOOD, 1.0), ("b", GOOD, 1.0), ("b", "<think>t</think><answer>y</answer>", 0.0)]
    path = tmp_path / "rollouts/1.jsonl"
    path.parent.mkdir()
    with path.open("w") as file:
        for prompt, response, score in rows:
            file.write(json.dumps({"input": prompt, "output": response, "gts": "x", "score": score, "step": 1}) + "\n")
    return path.parent


@pytest.fixture
def double():
    """A retriever and a judge: its address."""
    command = [sys.executable, str(ROOT / "tests/doubles/reward_server.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child, contextlib.ExitStack() as stack:
        stack.callback(child.kill)
        yield f"http://127.0.0.1:{child.stdout.readline().strip()}"


def test_one_pair_is_scored_part_by_part(tmp_path):
    done = dr("test", "reward/tiny", "--response", GOOD, "--truth", "x", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line.strip()}
    assert rows["part"] == ["weight", "value", "counts", "seconds", "why"]
    assert rows["exact_match"][:3] == ["0.5000", "1.0000", "0.5000"]
    assert rows["total"][0] == "1.2000"


def test_a_file_is_scored_and_json_has_everything(tmp_path):
    rows = [{"response": GOOD, "ground_truth": "x"}, {"response": "x", "ground_truth": "x"}]
    (tmp_path / "samples.jsonl").write_text("\n".join(map(json.dumps, rows)))
    done = dr("test", "reward/tiny", "--samples", "samples.jsonl", "--json", cwd=tmp_path)
    told = json.loads(done.stdout)
    assert [item["total"] for item in told["samples"]] == [1.2, -0.2]
    assert told["samples"][1]["why"]["format"] == "tags not once and in order"
    assert set(told["part_seconds"]) == {"format", "exact_match", "f1", "length"}
    table = dr("test", "reward/tiny", "--samples", "samples.jsonl", cwd=tmp_path)
    assert "2 samples, mean 0.5000" in table.stdout


def test_a_value_of_the_recipe_can_be_overridden(tmp_path):
    arguments = ["--response", GOOD, "--truth", "x", "--json"]
    done = dr("test", "reward/tiny", "parts.0.good=7", *arguments, cwd=tmp_path)
    assert json.loads(done.stdout)["samples"][0]["total"] == 8


def test_a_service_that_is_down_is_exit_3(tmp_path):
    retriever = ["retriever.url=http://127.0.0.1:9/retrieve", "retriever.give_up_seconds=1"]
    response = '<think>t</think><answer>{"query": "d1"}</answer>'
    done = dr("test", "reward/rewriting", *retriever, "--response", response, "--truth", '{"d1": 1}', cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert "the retriever gave no usable answer" in done.stderr


def test_a_ground_truth_that_does_not_fit_is_exit_4_before_anybody_is_asked(tmp_path):
    done = dr("test", "reward/rewriting", "--response", "x", "--truth", "{}", cwd=tmp_path)
    assert done.returncode == 4
    assert "names no relevant document" in done.stderr


def test_a_share_of_bad_ground_truths_is_told(tmp_path):
    rows = [{"response": "x", "ground_truth": truth} for truth in ("{}", '{"d1": 1}', "[]")]
    (tmp_path / "samples.jsonl").write_text("\n".join(map(json.dumps, rows)))
    done = dr("test", "reward/rewriting", "--samples", "samples.jsonl", cwd=tmp_path)
    assert done.returncode == 4
    assert "2 of 3 ground truths cannot be used" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["--response", "x"], ["--samples", "a.jsonl", "--truth", "x"]])
def test_too_little_or_too_much_is_exit_2(tmp_path, arguments):
    assert dr("test", "reward/tiny", *arguments, cwd=tmp_path).returncode == 2


def test_a_recipe_of_another_stage_is_refused(tmp_path):
    done = dr("test", "data/tiny", "--response", "x", "--truth", "x", cwd=tmp_path)
    assert done.returncode == 2
    assert "the command needs one of `reward`" in done.stderr


def test_a_judge_without_an_address_is_exit_3_and_one_with_a_key_gets_it(tmp_path, double):
    arguments = ["test", "reward/semantic-match", "--response", "<answer>8</answer>", "--truth", "x", "--json"]
    done = dr(*arguments, cwd=tmp_path, OPENAI_BASE_URL="", QWEN_URL="")
    assert done.returncode == 3
    assert "nobody says where the judge is" in done.stderr
    user = tmp_path / "prompt/user.txt"
    user.parent.mkdir()
    user.write_text("$answer")
    key = {"OPENAI_BASE_URL": f"{double}/v1", "OPENAI_API_KEY": "secret"}
    done = dr(*arguments, f"parts.1.prompt={user.parent}", cwd=tmp_path, **key)
    assert json.loads(done.stdout)["samples"][0]["parts"] == {"format": 0, "semantic_match": 0.8}
    assert "secret" not in done.stdout + done.stderr
    done = dr(*arguments, f"parts.1.prompt={user.parent}", cwd=tmp_path, **{**key, "OPENAI_API_KEY": "密"})
    assert done.returncode == 3
    assert "no header can carry" in done.stderr


def test_saved_rollouts_are_scored_again(tmp_path, rollouts):
    done = dr("replay", "reward/search-r1", rollouts, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["rollouts"], told["mean"], told["stored"]["correlation"]) == (4, 0.75, 1.0)
    assert told["groups"]["without_variance"] == 0.5
    assert told["steps"] == {"1": 0.75}
    table = dr("replay", "reward/search-r1", rollouts, cwd=tmp_path)
    assert "groups: without variance" in table.stdout


def test_a_reward_that_would_not_have_told_them_apart_says_so(tmp_path, rollouts):
    done = dr("replay", "reward/search-r1", rollouts, "parts.0.weight=0", "--json", cwd=tmp_path)
    told = json.loads(done.stdout)
    assert (told["groups"]["without_variance"], told["stored"]["correlation"]) == (1, None)


def test_a_tokenizer_decodes_as_the_trainer_and_warns_of_what_it_strips(tmp_path):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = {character: number for number, character in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    made = Tokenizer(models.BPE(alphabet, []))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    made.add_special_tokens(["<|box_start|>", "<|box_end|>"])
    made.save(str(tmp_path / "tokenizer.json"))
    recipe = "stage: reward\nparts: [{type: format_pieces}, {type: choice}]\n"
    (tmp_path / "reward.yaml").write_text(recipe)
    response = "<think>\nStep 1: x\n</think><answer>It must be <|box_start|>B<|box_end|> then</answer>"
    arguments = ["test", "reward.yaml", "--response", response, "--truth", "B", "--json"]
    (seen,) = json.loads(dr(*arguments, cwd=tmp_path).stdout)["samples"]
    assert seen["parts"] == {"format_pieces": 1.0, "choice": 1.0}
    done = dr(*arguments, "--tokenizer", "tokenizer.json", cwd=tmp_path)
    (seen,) = json.loads(done.stdout)["samples"]
    assert seen["parts"]["format_pieces"] == 0.7
    assert seen["response"].endswith("It must be B then</answer>")
    assert "warning: `<|box_start|>` is a special token here" in done.stderr


def test_the_command_is_light(tmp_path):
    code = "import sys; import cli.main\n"
    code += "sys.argv = ['dr', 'reward', 'test', 'reward/tiny', '--response', 'x', '--truth', 'x']\n"
    code += "try:\n    cli.main.main()\nexcept SystemExit as end:\n    assert not end.code\n"
    code += "heavy = {'torch', 'transformers', 'numpy', 'tokenizers', 'aiohttp'} & set(sys.modules)\n"
    code += "print(heavy, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == "set()"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The tiny collection, indexed and served by `dr serve`: its address."""
    from core import artifact
    from core.formats import beir
    from core.recipe import ArtifactRecipe
    from core.retrieval.index import build
    from core.retrieval.spec import Bm25

    home, tiny = tmp_path_factory.mktemp("served"), ROOT / "tests/data/tiny"
    documents = list(beir.read_documents(tiny))
    recipe = ArtifactRecipe(stage="index", out=home / "index")
    artifact.make(recipe, lambda _, work: work.stats.update(build(documents, Bm25(), work.path)))
    (home / "serve.yaml").write_text("stage: serve\nindex: index\nport: 0\n")
    command = [sys.executable, "-m", "cli.main", "serve", "serve.yaml"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=home, env=environment, stderr=subprocess.PIPE, text=True) as child:
        found = next(match for line in child.stderr if (match := re.search(r"http://127\.0\.0\.1:\d+", line)))
        yield found[0], documents
        child.terminate()
        child.stderr.read()


def test_a_real_index_is_asked_by_dr_serve_s_own_protocol(tmp_path, served):
    url, documents = served
    first = documents[0]
    query = {"query": f"{first.title} {first.text}"[:200]}
    rows = [
        {"response": f"<think>t</think><answer>{json.dumps(query)}</answer>", "ground_truth": {first.id: 1}},
        {"response": '<think>t</think><answer>{"query": "zzzz"}</answer>', "ground_truth": {first.id: 1}},
    ]
    (tmp_path / "samples.jsonl").write_text("\n".join(map(json.dumps, rows)))
    retriever = f"retriever.url={url}/retrieve"
    arguments = ["--samples", "samples.jsonl", "--json"]
    done = dr("test", "reward/rewriting", retriever, *arguments, cwd=tmp_path)
    assert [item["parts"]["recall"] for item in json.loads(done.stdout)["samples"]] == [1, 0]
    done = dr("test", "reward/deepretrieval-literature", retriever, *arguments, cwd=tmp_path)
    assert done.returncode == 4  # 3,000 documents are more than it was started for
    assert "refuses the question: HTTP 422" in done.stderr
    assert "max_top_k" in done.stderr
