"""Vectors computed beside sentence-transformers, and copies of the small models to spoil."""

import json
import shutil

import pytest
import torch
from transformers import AutoModel, AutoTokenizer

TEXTS = ["one", "a much longer text about funds and their fees, with more in it", "net value 2024", "x"]
TASK = "Instruct: Given a question, find the passage\nQuery:"


@pytest.fixture(scope="session")
def texts():
    """Of very different lengths."""
    return TEXTS


@pytest.fixture
def copy_of(tmp_path):
    """`copy_of(folder, "config.json", field=value)`: a copy with fields of a JSON file changed; None takes one out."""

    def copy(folder, file=None, **changes):
        target = tmp_path / f"copy-{len(list(tmp_path.glob('copy-*')))}"
        shutil.copytree(folder, target)
        if file is not None:
            path = target / file
            fields = (json.loads(path.read_text()) if path.exists() else {}) | changes
            path.write_text(json.dumps({name: value for name, value in fields.items() if value is not None}))
        return target

    return copy


@pytest.fixture(scope="session")
def by_hand():
    """`by_hand(folder, texts, "cls", end="[SEP]")`: a transformer's own states pooled without any library, [texts, H].

    One text at a time, so that nothing is padded; `end` is written after each text.
    """

    def vectors(folder, texts, mode, end=""):
        tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
        out = []
        with torch.no_grad():
            for text in texts:
                states = model(**tokenizer(text + end, return_tensors="pt")).last_hidden_state[0]
                out.append({"last": states[-1], "cls": states[0], "mean": states.mean(0)}[mode])
        return torch.nn.functional.normalize(torch.stack(out), dim=1).numpy()

    return vectors
