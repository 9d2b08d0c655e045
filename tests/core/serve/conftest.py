"""Real servers: a process on a free port, over small indexes."""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import httpx
import pytest

from core import artifact
from core.recipe import ArtifactRecipe
from core.retrieval.index import build
from core.retrieval.spec import Bm25, Dense, Hybrid
from core.types import Document

DOCUMENTS = [
    Document("f1", "基金的单位净值是一点二元", title="净值 公告"),
    Document("f2", "基金管理人收取管理费"),
    Document("f3", "本基金的净值每日公布\n节假日除外"),
    Document("b1", "债券的久期与收益率"),
    Document("b2", "债券基金的收益分配"),
    Document("w1", '"Fund"\nA fund pays a dividend'),
]

SERVE = """
import json, logging, sys
logging.basicConfig(level=logging.INFO, format="%(message)s")
from core.errors import DrError
from core.serve.app import run
from core.serve.recipe import Recipe
try:
    run(Recipe.model_validate_json(sys.argv[1]))
except DrError as error:
    print(error.render(), file=sys.stderr)
    sys.exit(error.exit_code)
"""


class IndexRecipe(ArtifactRecipe):
    """Stands for the one of `dr index`."""

    stage: Literal["index"] = "index"


@pytest.fixture(scope="session")
def indexes(static_model, tmp_path_factory):
    """Artifacts of stage `index`, by kind."""
    home = tmp_path_factory.mktemp("served")
    dense = Dense(type="dense", model=str(static_model))
    for name, spec in {"bm25": Bm25(), "hybrid": Hybrid(type="hybrid", dense=dense)}.items():
        artifact.make(
            IndexRecipe(out=home / name),
            lambda _, work, spec=spec: work.stats.update(build(DOCUMENTS, spec, work.path)),
        )
    return {name: home / name for name in ("bm25", "hybrid")}


class EmbedRecipe(ArtifactRecipe):
    """Stands for the one of `dr embed train`."""

    resumes: ClassVar[bool] = True
    stage: Literal["embed"] = "embed"


@pytest.fixture(scope="session")
def prompted_model(tmp_path_factory):
    """A BERT of two layers and random weights with a prompt for queries and one for documents; it reads 32 tokens."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    characters = sorted({*"问文档：基金净值债券收益管理费", *"abcdefghijklmnopqrstuvwxyz0123456789 "})
    vocabulary = {token: number for number, token in enumerate([*special, *characters])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    home = tmp_path_factory.mktemp("prompted")
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=32, **names).save_pretrained(home / "bert")
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    sizes |= {"initializer_range": 0.5}  # else all texts are alike
    BertModel(BertConfig(vocab_size=len(vocabulary), max_position_embeddings=32, **sizes)).save_pretrained(
        home / "bert"
    )
    modules = [Transformer(str(home / "bert"), max_seq_length=32), Pooling(32, pooling_mode="cls")]
    model = SentenceTransformer(modules=modules, prompts={"query": "问：", "document": "文档："}, device="cpu")
    model.save(str(home / "model"), create_model_card=False)
    return home / "model"


@dataclass
class Service:
    """A server that runs."""

    url: str
    process: subprocess.Popen
    log: Path

    def retrieve(self, **body):
        return httpx.post(f"{self.url}/retrieve", json=body, timeout=30)

    def post(self, path, headers=None, **body):
        return httpx.post(f"{self.url}{path}", json=body, headers=headers, timeout=30)

    def health(self):
        return httpx.get(f"{self.url}/health", timeout=30).json()


def start(recipe, log, **env):
    """The process of a server, its output in `log`."""
    with log.open("wb") as sink:
        return subprocess.Popen(
            [sys.executable, "-c", SERVE, json.dumps({"stage": "serve", **recipe}, default=str)],
            env={**os.environ, **env},
            stdout=sink,
            stderr=sink,
        )


@pytest.fixture(scope="session")
def serving(tmp_path_factory):
    """`with serving(index=..., port=0, ...) as service:`; `env` is added to the server's environment."""

    @contextlib.contextmanager
    def serve(env=None, **recipe):
        log = tmp_path_factory.mktemp("server") / "log.txt"
        process = start({"port": 0, **recipe}, log, **(env or {}))
        try:
            yield Service(_url(process, log), process, log)
        finally:
            process.kill()
            process.wait()

    return serve


@pytest.fixture(scope="session")
def hybrid(indexes, serving):
    """A server over the hybrid index, and so of its dense model."""
    with serving(index=indexes["hybrid"], max_top_k=100, query_max_characters=50, model_name="static") as service:
        yield service


def _url(process, log):
    deadline = time.monotonic() + 120
    while not (found := re.search(r"^serving .* at (http://\S+),", log.read_text(encoding="utf-8"), re.MULTILINE)):
        assert process.poll() is None and time.monotonic() < deadline, log.read_text(encoding="utf-8")
        time.sleep(0.05)
    return found[1]
