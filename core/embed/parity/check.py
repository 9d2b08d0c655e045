"""Our vectors of texts beside those of others."""

# N texts, H hidden

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from sentence_transformers import SentenceTransformer

from core.embed.parity.server import Server
from core.errors import ContractError, GateFailed, UsageError
from core.formats import rows
from core.retrieval.contract import DOCUMENT_NAMES, QUERY_NAMES
from core.retrieval.encoder import Encoder, Vectors, load
from core.retrieval.spec import Dense

SAME = 0.999
"""Cosine below which two vectors of one text are not the same."""
BATCH_SIZE = 32

TEXTS = (
    "How high are the management fees of the fund?",
    "x",
    "The annual report lists revenue, costs and the dividend for every share. " * 3,
    "Two lines,\nand spaces   between.",
    "基金的单位净值是多少？",
    "公司年度报告披露了营业收入、成本以及每股股息；投资者应当注意相关风险。" * 3,
    "2024年12月31日 600519 ￥1,688.00",
    "A text that is longer than most models read. " * 200,
)
"""Short and long, in two languages, with numbers and line ends: where encoders are known to part."""

Kind = Literal["query", "document"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Agreement:
    """How near another's vectors of the same texts are to ours."""

    reference: str
    """With whom we are compared."""
    kind: Kind
    texts: int
    least_cosine: float
    mean_cosine: float
    largest_difference: float
    """Between two numbers at one place of two unit vectors."""
    worst_text: str
    """The text with the least cosine, its first 80 characters."""

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


def check(model: str, texts: Sequence[str], url: str | None = None, name: str | None = None) -> list[Agreement]:
    """Our encoder compared with plain sentence-transformers and, where `url` is given, with the server there.

    Texts are compared as queries and as documents. `name` is the model's name on the server; None: its only one.

    Raises:
        Missing: the model cannot be loaded, or the server does not answer.
        ContractError: the server's vectors have another dimension.
        UsageError: `url` is no address, or the server has several models and none is named.
    """
    loaded = load(model)
    encoder = Encoder(loaded, Dense(type="dense", model=model, batch_size=BATCH_SIZE))
    asked = [text for text in dict.fromkeys(texts) if text.strip()]
    ours: dict[Kind, Vectors] = {"query": encoder.queries(asked), "document": encoder.documents(asked)}
    server = Server.at(url, name) if url is not None else None
    found = []
    for kind, vectors_NH in ours.items():
        found.append(_agreement("sentence-transformers", kind, asked, vectors_NH, _plain(loaded, kind, asked)))
        if server is not None:
            prompt = encoder.contract.query_prompt if kind == "query" else encoder.contract.document_prompt
            kept = _whole(encoder, kind, asked)
            shown = [asked[number] for number in kept]
            found.append(_agreement(server.shown, kind, shown, vectors_NH[kept], server.embed(shown, kind, prompt)))
    return found


def _whole(encoder: Encoder, kind: Kind, texts: Sequence[str]) -> list[int]:
    """Numbers of the texts that the model reads to their end: servers refuse longer ones, or cut them elsewhere.

    Raises:
        UsageError: there is none.
    """
    most = encoder.contract.max_tokens
    tokens = (encoder.query_tokens if kind == "query" else encoder.document_tokens)(texts)
    kept = [number for number, count in enumerate(tokens) if most is None or count < most]
    if not kept:
        raise UsageError(f"every text is longer than the {most} tokens that the model reads", hint="give shorter ones")
    if len(kept) < len(texts):
        log.info("%d of %d texts are longer than the model reads, and are not sent", len(texts) - len(kept), len(texts))
    return kept


def gate(agreements: Sequence[Agreement]) -> None:
    """Raises GateFailed when one of them is below a cosine of 0.999."""
    apart = [each for each in agreements if not each.least_cosine >= SAME]
    if apart:
        worst = min(apart, key=lambda each: each.least_cosine)
        raise GateFailed(
            f"the vectors of a {worst.kind} differ from those of {worst.reference}: cosine {worst.least_cosine:.4f} "
            f"(at least {SAME} is needed) for {worst.worst_text!r}",
            hint="compare prompt, pooling, end-of-sequence token, padding side, longest input and precision of both",
        )


def read(path: Path) -> list[str]:
    """The texts of a file, one a line; blank lines are passed over."""
    return [line.decode(errors="replace").strip() for _, line in rows.lines(path)]


def _plain(model: SentenceTransformer, kind: Kind, texts: Sequence[str]) -> Vectors:
    """As a user of sentence-transformers encodes: by the prompt's name, one text at a time, so nothing is padded."""
    names = QUERY_NAMES if kind == "query" else DOCUMENT_NAMES
    prompt_name = next((name for name in names if model.prompts.get(name)), None)
    prompt = None if prompt_name else ""
    vectors: Vectors = model.encode(
        list(texts),
        prompt_name=prompt_name,
        prompt=prompt,
        batch_size=1,
        task=kind,
        normalize_embeddings=True,
        show_progress_bar=False,
    )
    return vectors


def _agreement(reference: str, kind: Kind, texts: Sequence[str], ours_NH: Vectors, theirs_NH: Vectors) -> Agreement:
    if ours_NH.shape != theirs_NH.shape:
        raise ContractError(
            f"{reference} gives vectors of {theirs_NH.shape[1]} numbers, the model has {ours_NH.shape[1]}",
            hint="is it the same model there? A Matryoshka model may be cut on one side",
        )
    one_NH, other_NH = (_unit(each) for each in (ours_NH, theirs_NH))
    cosines_N = (one_NH * other_NH).sum(axis=1)
    # A text that a static model knows nothing of has a zero vector on both sides.
    cosines_N[~one_NH.any(axis=1) & ~other_NH.any(axis=1)] = 1.0
    worst = int(cosines_N.argmin())
    return Agreement(
        reference=reference,
        kind=kind,
        texts=len(texts),
        least_cosine=float(cosines_N[worst]),
        mean_cosine=float(cosines_N.mean()),
        largest_difference=float(np.abs(one_NH - other_NH).max()),
        worst_text=texts[worst][:80],
    )


def _unit(vectors_NH: Vectors) -> np.ndarray[Any, np.dtype[np.float64]]:
    wide_NH = vectors_NH.astype(np.float64)
    unit: np.ndarray[Any, np.dtype[np.float64]] = wide_NH / np.maximum(
        np.linalg.norm(wide_NH, axis=1, keepdims=True), 1e-12
    )
    return unit
