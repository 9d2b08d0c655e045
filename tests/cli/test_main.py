"""The command line as a user meets it: real processes, exit codes, stdout and stderr."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

DATA = """\
stage: data
out: data
source: {{type: beir, path: {path}}}
"""
INDEX = "stage: index\nout: index\ndata: data\nbackend: {type: bm25, analyzer: {type: english}}\n"
EVAL = "stage: eval\nout: eval\ndata: data\nsystem: {type: index, path: index}\nmeasures: [ndcg@10, map]\n"


@pytest.fixture
def home(tmp_path):
    """A folder with the tiny collection and three recipes."""
    shutil.copytree(ROOT / "tests/data/tiny", tmp_path / "tiny")
    for name, text in {"data": DATA.format(path="tiny"), "index": INDEX, "eval": EVAL}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def start(home, *argv, **more):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "cli.main", *map(str, argv)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=home, env=environment, text=True, **pipes, **more)


def dr(home, *argv, status=0, **more):
    with start(home, *argv, **more) as child:
        out, err = child.communicate(timeout=120)
    assert child.returncode == status, f"exit {child.returncode}\n{out}\n{err}"
    assert "Traceback" not in err
    return out, err


def test_three_commands_lead_from_files_to_scores(home):
    assert dr(home, "data", "data.yaml")[0] == "data\n"
    assert dr(home, "index", "build", "index.yaml")[0] == "index\n"
    out, _ = dr(home, "eval", "run", "eval.yaml")
    assert "ndcg@10" in out
    found = json.loads(dr(home, "index", "search", "index", "fund", "--json")[0])
    assert found["results"][0]["hits"]


def test_doing_it_twice_is_harmless(home):
    dr(home, "data", "data.yaml")
    before = (home / "data/manifest.json").read_bytes()
    _, err = dr(home, "data", "data.yaml")
    assert "up to date" in err
    assert (home / "data/manifest.json").read_bytes() == before


def test_another_recipe_on_the_same_output_is_refused_with_the_difference(home):
    dr(home, "data", "data.yaml")
    _, err = dr(home, "data", "data.yaml", "limit=3", status=2)
    assert "limit: null → 3" in err
    assert "--force" in err
    dr(home, "data", "data.yaml", "limit=3", "--force")
    assert (home / "data.previous/manifest.json").exists()


def test_a_changed_input_is_noticed_down_the_line(home):
    dr(home, "data", "data.yaml")
    dr(home, "index", "index.yaml")
    dr(home, "data", "data.yaml", "limit=3", "--force")
    _, err = dr(home, "index", "index.yaml", status=2)
    assert "data: has other content" in err


def test_dry_run_prints_the_complete_recipe_and_does_nothing(home):
    out, err = dr(home, "index", "index.yaml", "backend.k1=1.5", "--dry-run")
    assert "k1: 1.5" in out
    assert "tf_cap: null" in out
    assert "would stop: the input does not exist" in err
    assert not list(home.glob("index*/"))


def test_json_is_one_object_also_when_it_fails(home):
    made = json.loads(dr(home, "data", "data.yaml", "--json")[0])
    assert (made["schema_version"], made["out"], made["status"]) == (1, "data", "made")
    failed = json.loads(dr(home, "index", "index.yaml", "data=nowhere", "--json", status=2)[0])
    assert (failed["error"], failed["where"]) == ("the input does not exist", "nowhere")


@pytest.mark.parametrize(
    ("argv", "status", "says"),
    [
        (["data", "nothing.yaml"], 2, "there is no such recipe"),
        (["data", "index.yaml"], 2, "this recipe is for `dr index build`, the command is `dr data build`"),
        (["index", "index.yaml", "backend.k_1=2"], 2, "did you mean `k1`?"),
        (["index", "index.yaml", "backend.k1=-1"], 2, "greater than or equal to 0"),
        (["index", "index.yaml", "k1"], 2, "is not an override"),
        (["index", "index.yaml"], 2, "the input does not exist"),
        (["data", "data.yaml", "source.path=nowhere"], 2, "cannot be read"),
        (["data", "data.yaml", "out=/proc/none/data"], 2, "cannot write the output"),
        (["data", "data.yaml", "out=data.yaml/x"], 2, "cannot write the output"),
        (["data", "data.yaml", "out=tiny"], 2, "the output would replace its own `source.path`"),
        (["data", "data.yaml", "out=index.yaml", "--force"], 2, "this was not made by `dr`"),
        (["data", "data.yaml", "out=."], 2, "a directory of its own is needed"),
        (["data", "data.yaml", "limit=yes"], 2, "`limit`"),
        (["index", "index.yaml", "backend.analyzer.stme=false"], 2, "did you mean `stem`?"),
        (["index", "search", "tiny", "x"], 2, "this is not an artifact"),
        (["recipe", "cp", "quickstart", "data.yaml"], 2, "the file exists"),
        (["nonsense"], 2, "No such command"),
    ],
)
def test_a_wrong_call_is_a_sentence_and_exit_2(home, argv, status, says):
    _, err = dr(home, *argv, status=status)
    assert says in err


def test_a_missed_expectation_is_exit_4_every_time(home):
    dr(home, "data", "data.yaml")
    dr(home, "index", "index.yaml")
    for _ in range(2):
        out, err = dr(home, "eval", "eval.yaml", "expect.map=2.0", status=4)
        assert "map" in out
        assert "the recipe expects at least 2.0" in err


def test_a_model_that_cannot_be_had_is_exit_3(home):
    dr(home, "data", "data.yaml")
    overrides = ["~backend.analyzer", "backend.type=dense", "backend.model=./no/such/model"]
    _, err = dr(home, "index", "index.yaml", *overrides, status=3)
    assert "there is no folder `./no/such/model`" in err
    assert not (home / "index").exists()
    dr(home, "index", "index.yaml")


def slow_source(home):
    """A source that takes a while: many documents, so that a run can be met in the middle."""
    row = json.dumps({"_id": "%d", "title": "", "text": "a fund pays a dividend to its holders " * 40})
    with (home / "tiny/corpus.jsonl").open("w") as rows:
        rows.writelines(row.replace("%d", f"d{i}") + "\n" for i in range(60_000))
    shutil.rmtree(home / "tiny/qrels")
    (home / "tiny/queries.jsonl").unlink()


def until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_run_stopped_in_the_middle_leaves_no_half_artifact_and_the_same_command_finishes(home, number):
    slow_source(home)
    with start(home, "data", "data.yaml") as child:
        until(lambda: (home / "data.partial/corpus.jsonl").exists())
        _, err = dr(home, "data", "data.yaml", status=2)
        assert "another run is making this now" in err
        child.send_signal(number)
        child.communicate(timeout=60)
    assert child.returncode == {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}[number]
    assert not (home / "data").exists()
    dr(home, "data", "data.yaml")
    assert len((home / "data/corpus.jsonl").read_text().splitlines()) == 60_000


def test_a_pipeline_runs_its_steps_and_skips_what_is_up_to_date(home):
    (home / "all.yaml").write_text(
        "stage: run\nsteps: [{recipe: data.yaml}, {recipe: index.yaml}, {recipe: eval.yaml}]\nthen: enjoy\n"
    )
    out, _ = dr(home, "run", "all.yaml")
    assert out.count("  made  ") == 3
    assert out.rstrip().endswith("next: enjoy")
    assert dr(home, "run", "all.yaml")[0].count("up to date") == 3


def test_a_pipeline_that_stops_shows_what_it_made(home):
    missed = "{recipe: eval.yaml, overrides: [expect.map=2.0]}"
    (home / "all.yaml").write_text(f"stage: run\nsteps: [{{recipe: data.yaml}}, {{recipe: index.yaml}}, {missed}]\n")
    out, err = dr(home, "run", "all.yaml", status=4)
    assert out.count("  made  ") == 3
    assert "the recipe expects at least 2.0" in err
    found = json.loads(dr(home, "run", "all.yaml", "--json", status=4)[0])
    assert [step["status"] for step in found["steps"]] == ["up to date"] * 3
    assert found["exit_code"] == 4
    (home / "index.yaml").write_text(INDEX.replace("english", "chinese"))
    out, err = dr(home, "run", "all.yaml", status=2)
    assert "data   data      up to date" in out
    assert "the output was made by another recipe" in err


def test_a_pipe_as_a_source_is_refused_and_not_waited_for(home):
    os.mkfifo(home / "pipe")
    recipe = "stage: data\nout: data\nsource: {type: jsonl, documents: pipe}\n"
    (home / "data.yaml").write_text(recipe)
    _, err = dr(home, "data", "data.yaml", status=2)
    assert "is a pipe or a device" in err


def test_a_pipeline_with_a_wrong_step_stops_before_the_first(home):
    (home / "all.yaml").write_text(
        "stage: run\nsteps: [{recipe: data.yaml}, {recipe: index.yaml, overrides: [bakend.k1=2]}]\n"
    )
    _, err = dr(home, "run", "all.yaml", status=2)
    assert "did you mean `backend`?" in err
    assert not (home / "data").exists()


def test_a_copied_pipeline_still_finds_the_shipped_recipes(home):
    dr(home, "recipe", "cp", "quickstart", "mine.yaml")
    out, _ = dr(home, "run", "mine.yaml", "--dry-run")
    assert out.count("\nstage: eval\n") == 4


def test_a_folder_of_a_recipes_name_does_not_hide_the_recipe(home):
    (home / "quickstart").mkdir()
    dr(home, "recipe", "show", "quickstart")


def test_two_evaluations_are_compared(home):
    for command in ("data", "index", "eval"):
        dr(home, command, f"{command}.yaml")
    dr(home, "eval", "eval.yaml", "out=second")
    out, _ = dr(home, "eval", "compare", "eval", "second", "--fail-if-worse")
    assert "no significant difference" in out


def test_a_damaged_artifact_is_found(home):
    dr(home, "data", "data.yaml")
    corpus = home / "data/corpus.jsonl"
    corpus.write_text(corpus.read_text().replace("a", "b", 1))
    dr(home, "data", "check", "data")
    _, err = dr(home, "data", "check", "data", "--verify", status=4)
    assert "was changed after it was made" in err


def test_a_shipped_recipe_can_be_copied_shown_and_validated(home):
    assert dr(home, "recipe", "cp", "index/bm25-zh", "mine.yaml")[0] == "mine.yaml\n"
    assert "# Saturation of the term frequency" in dr(home, "recipe", "show", "mine.yaml")[0]
    assert dr(home, "recipe", "validate", "mine.yaml", "eval/tiny", "quickstart")[0] == "3 valid\n"
    listed = json.loads(dr(home, "recipe", "ls", "--json")[0])["recipes"]
    assert "quickstart" in {recipe["name"] for recipe in listed}


def test_the_doctor_says_what_is_missing_and_what_it_costs(home):
    found = json.loads(dr(home, "doctor", "--json")[0])["findings"]
    assert {"name", "state", "seen", "costs", "fix"} <= found[0].keys()
    assert len(found) > 8


def test_a_pipeline_says_what_one_evaluation_gains_over_another(home):
    steps = "{recipe: data.yaml}, {recipe: index.yaml}, {recipe: eval.yaml}, {recipe: eval.yaml, overrides: [out=same]}"
    (home / "all.yaml").write_text(f"stage: run\nsteps: [{steps}]\ncompare: [{{a: eval, b: same, measure: map}}]\n")
    out, _ = dr(home, "run", "all.yaml")
    assert "B - A" in out and "no significant difference" in out
    (contrast,) = json.loads(dr(home, "run", "all.yaml", "--json")[0])["compare"]
    assert (contrast["a"], contrast["b"], contrast["difference"], contrast["p_value"]) == ("eval", "same", 0.0, 1.0)
    (home / "all.yaml").write_text(f"stage: run\nsteps: [{steps}]\ncompare: [{{a: eval, b: same, measure: mpa}}]\n")
    assert "no measure" in dr(home, "run", "all.yaml", status=2)[1]


def test_the_verbs_of_a_group_are_listed_in_the_order_of_their_use(home):
    out, _ = dr(home, "data", "--help")
    places = [out.index(f"│ {verb} ") for verb in ("list", "download", "build", "check", "convert", "rows", "mix")]
    assert places == sorted(places)


def test_what_an_evaluation_shares_with_training_is_exit_4(home):
    dr(home, "data", "data.yaml")
    shutil.copytree(home / "data", home / "other", ignore=shutil.ignore_patterns("manifest.json"))
    _, err = dr(home, "data", "check", "data", "--against", "other", status=4)
    assert "queries of other are in data too" in err
    found = json.loads(dr(home, "data", "check", "data", "--against", "other", "--json", status=4)[0])
    assert found["shared"]["queries"]["exact"] == found["shared"]["queries"]["total"] > 0
    assert "compared with itself" in dr(home, "data", "check", "data", "--against", "data", status=2)[1]
    assert "need `--against" in dr(home, "data", "check", "data", "--split", "test", status=2)[1]
