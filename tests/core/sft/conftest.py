import json
import random

import pytest

from core import artifact
from core.data.rows import build
from core.data.rows.recipe import Recipe as RowsRecipe
from core.sft.recipe import Recipe

MODEL = {"type": "new", "hidden_size": 32, "layers": 2, "heads": 2, "vocabulary": 500, "max_tokens": 128}


def talks(count, answer, seed):
    draw = random.Random(seed)
    for _ in range(count):
        a, b = draw.sample(range(20), 2)
        said = f'<think> x </think>\n<answer>{{"query": "{answer}{a} {answer}{b}"}}</answer>'
        yield {"messages": [{"role": "user", "content": f"rewrite u{a} u{b}"}, {"role": "assistant", "content": said}]}


@pytest.fixture(scope="session")
def rows(tmp_path_factory):
    """`rows("d")`: an artifact of `dr data rows`, of 120 conversations whose answers are of that letter."""
    folder = tmp_path_factory.mktemp("rows")

    def made(answer, count=120):
        out = folder / f"{answer}{count}"
        if not out.exists():
            file = folder / f"{answer}{count}.jsonl"
            file.write_text("".join(json.dumps(talk) + "\n" for talk in talks(count, answer, 1)), encoding="utf-8")
            source = {"type": "conversations", "path": file, "train_ratio": 0.7, "dev_ratio": 0.2}
            recipe = {"stage": "rows", "out": out, "source": source, "targets": ["sft"]}
            artifact.make(RowsRecipe.model_validate(recipe), build.run)
        return out

    return made


@pytest.fixture(scope="session")
def recipe(rows, tmp_path_factory):
    """A recipe of a few steps, with changes."""

    def made(**changed):
        said = {
            "stage": "sft",
            "out": tmp_path_factory.mktemp("sft") / "out",
            "model": MODEL,
            "data": {"sets": [{"rows": rows("d")}]},
            "max_length": 100,
            "epochs": 3,
            "batch_size": 32,
            "learning_rate": 5e-3,
            "log_every": 2,
            "trainer": {"type": "trl", "device": "cpu", "threads": 1},
        }
        return Recipe.model_validate(said | changed)

    return made
