"""The same texts in our encoder, in plain sentence-transformers, and on servers that are right and subtly wrong."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import Pooling

from core.address import free
from core.embed.parity import check as parity
from core.embed.parity.server import Server
from core.errors import ContractError, GateFailed, Missing, UsageError
from core.llm.endpoint import Endpoint

ROOT = Path(__file__).parents[4]
TEXTS = ["fund fees of the year", "x", "net value " * 30]


@pytest.fixture(scope="module")
def model(tiny_bert, tmp_path_factory):
    """A small BERT with a prompt for queries."""
    folder = tmp_path_factory.mktemp("parity") / "model"
    prompts = {"query": "a question about funds: ", "document": ""}
    modules = [Transformer(str(tiny_bert)), Pooling(32, "mean")]
    SentenceTransformer(modules=modules, prompts=prompts).save(str(folder))
    return folder


@pytest.fixture(scope="module")
def url(model):
    """A running tests/doubles/embedding_server.py."""
    command = [sys.executable, str(ROOT / "tests/doubles/embedding_server.py"), "--model", str(model)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def test_our_vectors_are_those_of_plain_sentence_transformers(model):
    found = parity.check(str(model), [*TEXTS, *parity.TEXTS, " ", TEXTS[0]])
    assert [(each.reference, each.kind) for each in found] == [
        ("sentence-transformers", "query"),
        ("sentence-transformers", "document"),
    ]
    for each in found:
        assert each.texts == len({*TEXTS, *parity.TEXTS})  # blank and double ones are left out
        assert each.least_cosine == pytest.approx(1, abs=1e-5)
        assert each.largest_difference < 1e-5
    parity.gate(found)


def test_an_agreement_names_the_least_cosine_and_the_worst_text():
    ours, theirs = (np.array(rows, np.float32) for rows in ([[1, 0], [0, 2]], [[1, 0], [3, 4]]))
    found = parity._agreement("other", "query", ["one", "two"], ours, theirs)
    # (0, 1) and (0.6, 0.8): cosine 0.8, largest difference 0.6; the mean with the first text's 1 is 0.9
    assert found.least_cosine == pytest.approx(0.8)
    assert found.mean_cosine == pytest.approx(0.9)
    assert found.largest_difference == pytest.approx(0.6)
    assert found.worst_text == "two"
    with pytest.raises(GateFailed, match=r"vectors of a query differ from those of other: cosine 0\.8000") as failed:
        parity.gate([found])
    assert failed.value.exit_code == 4


@pytest.mark.parametrize("name", ["right", "ours"])
def test_a_server_that_takes_prompts_and_one_that_puts_them_agree(model, url, name):
    found = parity.check(str(model), TEXTS, f"{url}/v1/", name)
    assert {each.reference for each in found} == {"sentence-transformers", f"{url}/v1"}
    assert min(each.least_cosine for each in found) == pytest.approx(1, abs=1e-5)
    parity.gate(found)


@pytest.mark.parametrize(
    ("name", "kinds"),
    [("promptless", {"query"}), ("ours-promptless", {"query"}), ("short", {"query", "document"})],
)
def test_a_server_that_is_subtly_wrong_is_found_out(model, url, name, kinds):
    found = parity.check(str(model), TEXTS, url, name)
    apart = {(each.kind, each.reference) for each in found if each.least_cosine < parity.SAME}
    assert apart == {(kind, f"{url}/v1") for kind in kinds}
    with pytest.raises(GateFailed, match=f"differ from those of {url}/v1"):
        parity.gate(found)


def test_vectors_of_another_length_are_another_model(model, url):
    with pytest.raises(ContractError, match="gives vectors of 16 numbers, the model has 32"):
        parity.check(str(model), TEXTS, url, "cut")


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("fewer", ContractError, "3 texts were sent, 2 vectors came back"),
        ("nan", ContractError, "something else than vectors"),
        ("page", ContractError, "no JSON"),
        ("refuses", Missing, r"answers 503: busy, Bearer \*\*\*"),
    ],
)
def test_an_answer_that_is_none_is_a_sentence_without_the_key(url, name, error, words):
    server = Server(Endpoint(f"{url}/v1", "secret-123"), name, prompts_itself=False)
    with pytest.raises(error, match=words) as failed:
        server.embed(TEXTS, "query", "")
    assert "secret-123" not in failed.value.render()


def test_a_server_of_several_models_wants_to_be_told_which(model, url):
    with pytest.raises(UsageError, match="10 models") as asked:
        parity.check(str(model), TEXTS, url)
    assert "right, ours" in asked.value.hint


def test_a_server_that_is_not_there_is_a_sentence(model):
    with pytest.raises(Missing, match="does not answer") as failed:
        parity.check(str(model), TEXTS, f"http://127.0.0.1:{free('127.0.0.1', 0)}")
    assert "/v1/models" in failed.value.where


def test_texts_are_the_lines_of_a_file(tmp_path):
    (tmp_path / "texts.txt").write_text("one\n\n 净值 \r\n", encoding="utf-8")
    assert parity.read(tmp_path / "texts.txt") == ["one", "净值"]


@pytest.mark.slow
def test_the_command_prints_a_table_and_ends_with_4_where_a_server_differs(model, url, tmp_path):
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS))

    def dr(*argv):
        command = [sys.executable, "-m", "cli.main", "embed", "parity", str(model), "--texts", tmp_path / "texts.txt"]
        return subprocess.run([*command, *argv], cwd=ROOT, capture_output=True, text=True, check=False)

    alone = dr()
    assert alone.returncode == 0, alone.stderr
    assert "sentence-transformers" in alone.stdout
    told = dr("--url", url, "--name", "promptless", "--json")
    assert told.returncode == 4, told.stderr
    value = json.loads(told.stdout)
    assert len(value["agreements"]) == 4
    assert value["exit_code"] == 4
