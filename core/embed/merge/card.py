"""The model card: what a merged model is, how it is used, what it was trained on, and what that gave."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from core.recipe.model import flat
from core.retrieval.contract import Contract


def write(
    place: Path, training: Mapping[str, Any], report: Mapping[str, Any], contract: Contract, adapter: Mapping[str, Any]
) -> None:
    """Write README.md into the model's folder.

    `training` is the manifest of the training's artifact, `report` its report.json, `adapter` what peft says of it.
    """
    parts = (_head(adapter), _use(contract), _contract(contract), _training(training, adapter), _scores(report))
    (place / "README.md").write_text("\n".join(parts), encoding="utf-8")


def _head(adapter: Mapping[str, Any]) -> str:
    base = str(adapter["base_model_name_or_path"])
    facts = {
        "library_name": "sentence-transformers",
        "pipeline_tag": "sentence-similarity",
        "tags": ["sentence-transformers", "sentence-similarity", "feature-extraction", "dr"],
    }
    if not Path(base).is_absolute():
        facts["base_model"] = base
    head = yaml.safe_dump(facts, sort_keys=False, allow_unicode=True)
    return f"---\n{head}---\n\n# {Path(base).name}, fine-tuned\n\nMade by `dr embed train` and `dr embed merge`.\n"


def _use(contract: Contract) -> str:
    return f"""## Use

```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("path/to/this/folder")
queries = model.encode_query(["..."], normalize_embeddings=True)
documents = model.encode_document(["..."], normalize_embeddings=True)
similarities = queries @ documents.T  # vectors of {contract.dimension} numbers
```
"""


def _contract(contract: Contract) -> str:
    said = contract.as_dict() | {"modules": ", ".join(contract.modules)}
    lines = (f"| {name} | {_cell(json.dumps(value, ensure_ascii=False))} |" for name, value in said.items())
    return "\n".join(("## Contract\n", "What decides the vector of a text.\n", "| | |", "|---|---|", *lines, ""))


def _training(training: Mapping[str, Any], adapter: Mapping[str, Any]) -> str:
    recipe = yaml.safe_dump(training["recipe"], sort_keys=False, allow_unicode=True)
    layers = adapter["target_modules"]
    named = layers if isinstance(layers, str) else ", ".join(sorted(layers))
    data = [
        f"| {name} | {facts['path']} | {facts.get('digest') or facts.get('sha256')} |"
        for name, facts in (training["inputs"] | training["sources"]).items()
    ]
    return "\n".join(
        (
            "## Training\n",
            f"An adapter (rank {adapter['r']}, alpha {adapter['lora_alpha']}, on {named}), now part of the weights.",
            f"Its artifact has the digest {training['digest']}.\n",
            "| data | path | digest (SHA-256) |\n|---|---|---|",
            *data,
            f"\n```yaml\n{recipe}```\n",
        )
    )


def _scores(report: Mapping[str, Any]) -> str:
    rows = (f"| {name} | {value:,.4f} |" for name, value in _numbers(report))
    verdict = report.get("verdict", "")
    return "\n".join(("## Scores\n", f"{verdict}\n", "| measure | score |\n|---|---|", *rows, ""))


def _numbers(report: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Every score in the report by its dotted name; measures are those named `…@k`, and correlations."""
    for name, value in flat(dict(report)).items():
        known = "@" in name or name.endswith(("spearman", "pearson"))
        if known and isinstance(value, int | float) and not isinstance(value, bool):
            yield name, value


def _cell(text: str) -> str:
    return f"`{text}`".replace("|", "\\|")
