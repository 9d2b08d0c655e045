"""The sets and models that people use with `dr`, by a short name. Plain data: nothing here asks a hub.

Any other repository is named by its owner and name; an entry only saves looking them up. Sizes are rounded, licences
as the repository or its project states them: read the original before you publish anything made from it.
"""

from dataclasses import asdict, dataclass

from core.hub.listing import HubName, Kind


@dataclass(frozen=True)
class Entry:
    """One repository that we know; None is what is not known."""

    name: str
    kind: Kind
    huggingface: str | None
    modelscope: str | None
    about: str
    licence: str | None = None
    size: str | None = None

    def on(self, hub: HubName) -> str | None:
        """Its repository on `hub`."""
        return self.huggingface if hub == "huggingface" else self.modelscope

    def as_dict(self) -> dict[str, str | None]:
        return asdict(self)


_SETS = (
    Entry(
        "deepretrieval",
        "dataset",
        "DeepRetrieval/datasets",
        None,
        "rows for reinforcement learning of query rewriting; folders local_index_search, search_engine, sql, raw_data",
    ),
    Entry(
        "omnieval-corpus",
        "dataset",
        "RUC-NLPIR/OmniEval-KnowledgeCorpus",
        None,
        "Chinese finance documents of the OmniEval benchmark",
        "MIT (the project)",
    ),
    Entry(
        "omnieval-questions",
        "dataset",
        "RUC-NLPIR/OmniEval-AutoGen-Dataset",
        None,
        "questions and answers of the OmniEval benchmark, written by a model",
        "MIT (the project)",
    ),
    Entry(
        "agentar-deepfinance",
        "dataset",
        "antgroup/Agentar-DeepFinance-100K",
        None,
        "Chinese and English finance conversations with their reasoning",
        None,
        "99,068 conversations",
    ),
    Entry(
        "persona-hub",
        "dataset",
        "proj-persona/PersonaHub",
        None,
        "personas to write queries as; `--include persona.jsonl` leaves out what was synthesised with them",
        "CC BY-NC-SA 4.0",
        "200,000 personas",
    ),
)

_BEIR = (
    ("scifact", "scientific claims and abstracts", "5,183 documents"),
    ("fiqa", "opinions and answers on finance", "57,638 documents"),
    ("nfcorpus", "nutrition and medicine, graded", "3,633 documents"),
    ("arguana", "counter-arguments", "8,674 documents"),
    ("scidocs", "citations of papers", "25,657 documents"),
    ("trec-covid", "papers on COVID-19, graded", "171,332 documents"),
    ("webis-touche2020", "arguments, graded", "382,545 documents"),
    ("quora", "questions asked twice", "522,931 documents"),
    ("nq", "questions to a search engine, Wikipedia", "2,681,468 documents"),
    ("hotpotqa", "questions over two articles, Wikipedia", "5,233,329 documents"),
    ("dbpedia-entity", "entities, graded", "4,635,922 documents"),
    ("fever", "claims, Wikipedia", "5,416,568 documents"),
    ("climate-fever", "claims on the climate, Wikipedia", "5,416,593 documents"),
    ("msmarco", "web passages", "8,841,823 documents"),
)

_BEIR_LICENCE = "CC BY-SA 4.0 (as repackaged; see the original set)"


def _beir() -> list[Entry]:
    entries = []
    for name, about, size in _BEIR:
        repository = f"BeIR/{name}"
        entries += [
            Entry(f"beir-{name}", "dataset", repository, None, f"BEIR: {about}; texts", _BEIR_LICENCE, size),
            Entry(
                f"beir-{name}-qrels",
                "dataset",
                f"{repository}-qrels",
                None,
                f"BEIR: {about}; judgements",
                _BEIR_LICENCE,
            ),
        ]
    return entries


_QWEN = (
    ("Qwen3-Embedding-0.6B", "embedding model, 1,024 dimensions", "1.2 GB"),
    ("Qwen3-Embedding-4B", "embedding model, 2,560 dimensions", "8 GB"),
    ("Qwen3-Embedding-8B", "embedding model, 4,096 dimensions", "15 GB"),
    ("Qwen3-0.6B", "language model", "1.5 GB"),
    ("Qwen3-1.7B", "language model", "4 GB"),
    ("Qwen3-4B", "language model", "8 GB"),
    ("Qwen3-8B", "language model", "16 GB"),
)


def _qwen() -> list[Entry]:
    return [
        Entry(name.lower(), "model", f"Qwen/{name}", f"Qwen/{name}", about, "Apache 2.0", size)
        for name, about, size in _QWEN
    ]


REGISTRY: tuple[Entry, ...] = (*_SETS, *_beir(), *_qwen())
