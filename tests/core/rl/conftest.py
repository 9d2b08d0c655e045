"""The services that a reward asks, models that know the form of an answer, and trainings of a few steps."""

import contextlib
import json
import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.formats import verl
from core.formats.messages import Message
from core.reward.plain import write
from core.rl.recipe import Recipe
from core.rl.trl import worker

DOUBLE = Path(__file__).parents[2] / "doubles" / "reward_server.py"
PATIENCE = {"timeout_seconds": 1, "retries": 0, "give_up_seconds": 2}
WORDS = 8


class Services:
    """A retriever and a judge."""

    def __init__(self, child):
        self.child = child
        self.root = f"http://127.0.0.1:{child.stdout.readline().strip()}"
        self.retriever = {"url": f"{self.root}/retrieve", **PATIENCE}
        server = {"type": "openai", "model": "double", "base_url": f"{self.root}/v1"}
        self.judge = {"server": server, **PATIENCE}

    def kill(self):
        self.child.kill()
        self.child.wait()


@contextlib.contextmanager
def double():
    with subprocess.Popen([sys.executable, str(DOUBLE)], stdout=subprocess.PIPE, text=True) as child:
        try:
            yield Services(child)
        finally:
            child.kill()


@pytest.fixture(scope="session")
def services():
    """Running services."""
    with double() as running:
        yield running


@pytest.fixture
def own_services():
    """Services of one test, which may kill them."""
    with double() as running:
        yield running


def user(number):
    return {"role": "user", "content": f"rewrite u{number}"}


def answers():
    """Conversations whose answers are in form: in four of ten right, else they leave the word as it is."""
    draw = random.Random(0)
    for _ in range(200):
        word = draw.randrange(WORDS)
        said = f'<think>x</think><answer>{{"query": "{"d" if draw.random() < 0.4 else "u"}{word}"}}</answer>'
        yield [user(word), {"role": "assistant", "content": said}], None


def calls():
    """Conversations in which a search is called with a word drawn, and its first passage is the answer."""
    from core.rl.recipe import SearchTool
    from core.rl.tool.search import schema

    draw = random.Random(0)
    tools = [schema(SearchTool().model_dump())]
    for _ in range(200):
        word = f"d{draw.randrange(WORDS)}"
        call = {"name": "search", "arguments": {"query_list": [word]}}
        first = [
            user(draw.randrange(WORDS)),
            {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": call}]},
        ]
        yield first, tools
        said = f"<think>x</think><answer>{word}</answer>"
        turn = {"role": "tool", "name": "search", "content": f"1. text of {word}"}
        yield [*first, turn, {"role": "assistant", "content": said}], tools


def taught(conversations, folder, steps):
    """A new model that has learned the last turns of conversations."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from core.tuning.models import new
    from core.tuning.spec import New

    torch.set_num_threads(1)
    conversations = list(conversations)
    texts = [message["content"] for messages, _ in conversations for message in messages]
    texts += [
        json.dumps([message.get("tool_calls"), tools]) for messages, tools in conversations for message in messages
    ]
    spec = New(type="new", hidden_size=64, layers=2, heads=2, vocabulary=600, max_tokens=512)
    new.write(spec, texts, folder, 1)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    examples = []
    for messages, tools in conversations:
        ids = tokenizer.apply_chat_template(messages, tools=tools, return_dict=False)
        begin = tokenizer.apply_chat_template(messages[:-1], tools=tools, add_generation_prompt=True, return_dict=False)
        examples.append((ids, len(begin)))
    optimizer, draw = torch.optim.AdamW(model.parameters(), lr=3e-3), random.Random(0)
    for _ in range(steps):
        batch = draw.sample(examples, 16)
        width = max(len(ids) for ids, _ in batch)
        ids = torch.full((16, width), tokenizer.pad_token_id)
        labels = torch.full((16, width), -100)
        for place, (of, begin) in enumerate(batch):
            ids[place, : len(of)] = torch.tensor(of)
            labels[place, begin : len(of)] = torch.tensor(of[begin:])
        mask = (torch.arange(width) < torch.tensor([[len(of)] for of, _ in batch])).long()
        model(input_ids=ids, attention_mask=mask, labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def answering(tmp_path_factory):
    """A model that answers in form, and leaves most words as they are."""
    return taught(answers(), tmp_path_factory.mktemp("answering") / "model", 250)


@pytest.fixture(scope="session")
def calling(tmp_path_factory):
    """A model that calls the search once, and answers."""
    return taught(calls(), tmp_path_factory.mktemp("calling") / "model", 100)


@dataclass
class Begun:
    """What the worker is given, and the folder of its training."""

    given: dict
    folder: Path

    def train(self):
        worker.train(self.given, self.folder)

    def checkpoint(self, step):
        return self.folder / f"checkpoints/checkpoint-{step}"

    def rollouts(self):
        path = self.folder / "logs/rollouts.jsonl"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


@pytest.fixture(scope="session")
def begun(tmp_path_factory):
    """Rows, reward and recipe of a short training: `begun(model, reward, **changed)`."""

    def rows(path, count):
        writer = verl.Writer(path, verl.rl_schema())
        for number in range(count):
            prompt = (Message(**user(number % WORDS)),)
            truth, question = json.dumps({f"d{number % WORDS}": 1}), f"u{number % WORDS}"
            labels = {"data_source": "t", "ability": "x", "ground_truth": truth, "split": path.stem}
            writer.write(verl.rl_row(prompt, index=number, question=question, **labels))
        writer.close()
        return str(path)

    def made(model, reward, **changed):
        folder = tmp_path_factory.mktemp("run")
        said = {
            "stage": "rl",
            "out": folder / "out",
            "model": {"type": "pretrained", "path": str(model)},
            "data": {"sets": [{"rows": "rows"}]},
            "reward": reward,
            "algorithm": {"type": "grpo", "group_size": 4, "kl": 0},
            "generation": {"temperature": 1, "top_p": 1, "max_prompt_length": 400, "max_new_tokens": 24},
            "steps": 6,
            "batch_size": 4,
            "learning_rate": 1e-3,
            "log_every": 2,
            "checkpoints": {"save_every": 2, "keep": None},
            "trainer": {"type": "trl", "device": "cpu", "threads": 1},
        }
        recipe = Recipe.model_validate(said | changed)
        (folder / "logs").mkdir()
        write(recipe.reward, folder / "logs/reward.json")
        given = {"recipe": recipe.model_dump(mode="json"), "model": str(model)}
        given |= {"train": rows(folder / "train.parquet", 24), "held_out": rows(folder / "held_out.parquet", 10)}
        return Begun({**given, "reward": str(folder / "logs/reward.json")}, folder)

    return made
