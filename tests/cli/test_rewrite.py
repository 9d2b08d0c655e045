"""`dr rewrite` for one query and for many: what stands on stdout, to the letter, and exit codes."""

import json
import os
import subprocess
import sys

import pytest

SCRIPT = {
    "纳斯达克": '<think>指数</think><answer>{"query": "纳斯达克综合指数 NASDAQ"}</answer>',
    "whale": '<think>t</think><answer>{"query": "cetacean"}</answer>',
    "prose": "I would leave it.",
    "void": {"message": {"role": "assistant", "content": None}},
}


@pytest.fixture(scope="module")
def server(llm_server, tmp_path_factory):
    script = tmp_path_factory.mktemp("script") / "script.json"
    script.write_text(json.dumps(SCRIPT))
    with llm_server(script=script, model="m") as running:
        yield running


def dr(*argv, status=0, stdin="", root=None, **environment):
    command = [sys.executable, "-m", "cli.main", "rewrite", *map(str, argv)]
    env = {**os.environ, **environment}
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, cwd=root, env=env, check=False)
    assert done.returncode == status, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


@pytest.mark.parametrize("option", ["--api-url", "--api_url"])
def test_one_query_prints_two_lines_and_nothing_else(server, option):
    out, err = dr("--query", "纳斯达克怎么了", option, f"{server.url}/chat/completions")
    assert out == "Original query: 纳斯达克怎么了\nRewritten query: 纳斯达克综合指数 NASDAQ\n"
    assert err == ""


def test_a_fallback_prints_the_original_twice_and_says_so_on_stderr(server):
    out, err = dr("--query", "prose", "--api-url", server.url)
    assert out == "Original query: prose\nRewritten query: prose\n"
    assert "could not be used (no answer): the original query stands" in err


def test_json_is_one_object(server):
    out, _ = dr("--query", "whale", "--api-url", server.url, "--domain", "medicine", "--json")
    assert json.loads(out) == {"schema_version": 1, "query": "whale", "rewritten": "cetacean", "fallback": None}


def test_the_one_model_that_the_server_has_is_asked(server, llm_server):
    dr("--query", "whale", "--api-url", server.url, "--model", "m")
    _, err = dr("--query", "whale", "--api-url", server.url, "--model", "other", status=3)
    assert "it has `m`" in err
    with llm_server(model=["a", "b"]) as two:
        _, err = dr("--query", "whale", "--api-url", two.url, status=2)
        assert "--model NAME, one of a, b" in err
        assert two.tries() == []


def test_the_key_is_named_never_written(llm_server):
    with llm_server(key="s3cret", body='{"choices": [{"message": {"content": "{\\"query\\": \\"x\\"}"}}]}') as locked:
        url = ("--api-url", locked.url, "--query", "whale")
        dr(*url, "--api-key-env", "MY_KEY", MY_KEY="s3cret")
        _, err = dr(*url, "--api-key-env", "MY_KEY", status=3)
        assert "MY_KEY is not set" in err
        _, err = dr(*url, "--api-key-env", "MY_KEY", status=3, MY_KEY="wr0ng")
        assert "does not accept the key" in err
        assert "wr0ng" not in err


def test_a_response_without_content_is_exit_3_with_an_empty_stdout(server):
    out, err = dr("--query", "void", "--api-url", server.url, status=3)
    assert out == ""
    assert "`choices[0].message.content` is no text" in err


def test_nobody_there_is_exit_3(llm_server):
    with llm_server() as gone:
        pass
    out, err = dr("--query", "whale", "--api-url", gone.url, status=3)
    assert out == ""
    assert "does not answer" in err


def test_lines_on_stdin_become_json_lines_in_their_order(server):
    out, err = dr("--api-url", server.url, stdin="whale\n\nprose\n纳斯达克\n")
    assert [json.loads(line) for line in out.splitlines()] == [
        {"query_id": "1", "query": "whale", "rewritten": "cetacean", "fallback": None},
        {"query_id": "3", "query": "prose", "rewritten": "prose", "fallback": "no answer"},
        {"query_id": "4", "query": "纳斯达克", "rewritten": "纳斯达克综合指数 NASDAQ", "fallback": None},
    ]
    assert "1 of 3 answers (33.3 %) could not be used" in err


def test_a_file_keeps_its_ids(server, tmp_path):
    (tmp_path / "q.jsonl").write_text('{"id": "a", "text": "whale"}\n')
    out, _ = dr("--api-url", server.url, "--file", tmp_path / "q.jsonl")
    assert json.loads(out) == {"query_id": "a", "query": "whale", "rewritten": "cetacean", "fallback": None}


def test_a_recipe_lends_its_model_and_prompts_to_one_query(server, tmp_path):
    llm = {"server": {"type": "openai", "model": "m", "base_url": server.url}}
    queries = {"type": "file", "path": "none.txt"}
    recipe = {"stage": "rewrite", "out": "r", "queries": queries, "llm": llm, "prompts": "literature"}
    (tmp_path / "r.yaml").write_text(json.dumps(recipe))
    out, _ = dr("r.yaml", "--query", "whale", root=tmp_path)
    assert out == "Original query: whale\nRewritten query: cetacean\n"
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["--query", " "], "the query is empty"),
        (["--query", "x", "--domain", "finanz"], "finance, general, literature, medicine"),
        (["--query", "x", "--file", "f.txt"], "--file has no place here"),
        (["--query", "x", "--dry-run"], "--dry-run has no place here"),
        (["rewrite/tiny", "--model", "m"], "--model has no place here"),
        (["--file", "absent.txt"], "absent.txt"),
        ([], "no query to rewrite"),
        (["rewrite/tiny", "prompts=finanz"], "no such prompt template"),
        (["eval/tiny"], "this recipe is for `dr eval run`, the command is `dr rewrite`"),
        (["--query", "x", "--api-url", "localhost"], "is no address"),
    ],
)
def test_a_wrong_call_is_a_sentence_and_exit_2(argv, told, tmp_path, root):
    _, err = dr(*argv, status=2, root=tmp_path, PYTHONPATH=str(root))
    assert told in " ".join(err.split())
