"""The search tool against a real server of the protocol."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from core.reward.plain import plain, write
from core.reward.spec import Reward
from core.rl.recipe import SearchTool
from core.rl.tool.search import NOTHING, BadCall, Search, answer, schema

ROOT = Path(__file__).parents[4]
PASSAGES = {
    "kidney stones": [("d1", "Kidney stones\nThey form when urine is dense."), ("d2", "A line alone")],
    "asthma": [("d3", "Asthma\nAirways narrow.")],
}


class _Door(BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(asked)
        found = [
            [{"document": {"id": id_, "contents": text}, "score": 1.0} for id_, text in PASSAGES.get(query, [])]
            for query in asked["queries"]
        ]
        body = json.dumps({"result": [hits[: asked["topk"]] for hits in found]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), _Door) as server:
        server.asked = []
        server.url = f"http://127.0.0.1:{server.server_port}/retrieve"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def reward(url, **retriever):
    return Reward.model_validate(
        {"parts": [{"type": "exact_match"}], "retriever": {"url": url, **retriever}},
    )


@pytest.fixture
def search(server):
    search = Search(SearchTool(max_queries=2).model_dump(), plain(reward(server.url))["retriever"])
    yield search
    search.close()


def test_passages_come_as_numbered_text_with_their_titles(search):
    assert search.ask(["kidney stones"]) == ("1. Kidney stones\nThey form when urine is dense.\n2. A line alone")


def test_several_queries_are_asked_at_once_and_told_apart(search, server):
    assert (
        search.ask(["asthma", "nonsense"]) == f"Query: asthma\n1. Asthma\nAirways narrow.\n\nQuery: nonsense\n{NOTHING}"
    )
    assert [asked["queries"] for asked in server.asked] == [["asthma", "nonsense"]]


def test_queries_beyond_the_bound_are_left_out_and_the_model_is_told(search, server):
    assert search.ask(["asthma", "x", "y", "z"]).endswith("2 more queries were left out: a call takes 2.")
    assert server.asked[0]["queries"] == ["asthma", "x"]


def test_a_text_in_place_of_a_list_is_one_query(search):
    assert search.ask("asthma") == "1. Asthma\nAirways narrow."


@pytest.mark.parametrize("given", [None, [], [" "], [3], {"query": "x"}, [["asthma"]]])
def test_a_call_that_cannot_be_read_is_told_to_the_model_and_is_no_failure(search, server, given):
    with pytest.raises(BadCall, match="query_list"):
        search.ask(given)
    assert search.failure is None
    assert server.asked == []


def test_an_answer_is_cut(server):
    tool = SearchTool().model_dump()
    search = Search(tool, plain(reward(server.url))["retriever"], cut=lambda text: text[:9])
    assert search.ask(["kidney stones"]) == "1. Kidney"
    search.close()


FAILING = """
import sys; sys.path.insert(0, sys.argv[1])
from core.errors import Missing
from core.rl.tool.search import Search
search = Search.load(sys.argv[2], {"max_queries": 3, "top_k": 3})
try:
    print("an answer:", search.ask(["asthma"]))
except Missing as error:
    print(search.failure is error)
"""


def test_a_search_that_fails_raises_stays_known_and_is_told(tmp_path):
    write(reward("http://127.0.0.1:9/retrieve", retries=0), tmp_path / "reward.json")
    command = [sys.executable, "-c", FAILING, str(ROOT), str(tmp_path / "reward.json")]
    env = {**os.environ, "DR_REWARD_FAILED": str(tmp_path / "failed.json")}
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert (done.stdout, done.stderr) == ("True\n", "")
    told = json.loads((tmp_path / "failed.json").read_text(encoding="utf-8"))
    assert (told["exit_code"], told["where"]) == (3, "http://127.0.0.1:9/retrieve")


def test_one_query_stands_without_a_heading():
    assert answer(["x"], [[]]) == NOTHING


def test_the_schema_names_the_tool_and_its_one_argument():
    function = schema(SearchTool(name="find", description="Finds.").model_dump())["function"]
    assert (function["name"], function["description"]) == ("find", "Finds.")
    assert function["parameters"]["required"] == list(function["parameters"]["properties"]) == ["query_list"]


def test_the_tool_runs_where_the_standard_library_is_all_there_is():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import core.rl.tool.search\n"
        "print(sorted({n.split('.')[0] for n in sys.modules} - set(sys.stdlib_module_names) - {'__main__', 'core'}))"
    )
    command = [sys.executable, "-I", "-S", "-c", code, str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
