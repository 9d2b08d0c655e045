"""Parts that search with the query that the model wrote."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, Protocol

from core import measure
from core.reward import truth
from core.reward.sample import Judged, Reading, Value
from core.reward.services.retriever import Hit, Retriever
from core.reward.words import holds, same_form, tokens


class Rule(Protocol):
    """A number for a ranking."""

    texts: bool
    facts: tuple[str, ...]

    def k(self, reading: Reading) -> int:
        """Documents to ask for."""
        ...

    def value(self, reading: Reading, hits: Sequence[Hit]) -> Value:
        """What the ranking is worth."""
        ...


class Ranked:
    """Asks for all rankings of a batch together, then lets a rule value each."""

    def __init__(self, rule: Rule, retriever: Retriever) -> None:
        self._rule, self._retriever = rule, retriever
        self.facts: tuple[str, ...] = rule.facts

    def score(self, batch: Sequence[Reading]) -> list[Judged]:
        """A value for each.

        Raises:
            ServiceFailed: the retriever is gone.
            BadTruth: a ground truth does not fit.
        """
        wanted: dict[int, list[int]] = {}
        for place, reading in enumerate(batch):
            wanted.setdefault(self._rule.k(reading), []).append(place)
        values: dict[int, Value] = {}
        for k, places in wanted.items():
            queries = [batch[place].answer.query or "" for place in places]
            found = self._retriever.search(queries, k, texts=self._rule.texts)
            for place, hits in zip(places, found, strict=True):
                values[place] = self._valued(batch[place], hits)
        return [values[place] for place in range(len(batch))]

    def _valued(self, reading: Reading, hits: Sequence[Hit]) -> Value:
        value = self._rule.value(reading, hits)
        why = reading.answer.why or value.why or ("" if hits else "nothing found")
        return Value(value.score, why, value.facts)


class RecallTiers:
    """A value for each range of recall."""

    texts = False
    facts: tuple[str, ...] = ("recall",)

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = config

    def k(self, reading: Reading) -> int:  # noqa: ARG002 - the protocol's signature
        """The recipe's."""
        return int(self._config["k"])

    def value(self, reading: Reading, hits: Sequence[Hit]) -> Value:
        """The value of the tier that the recall reaches."""
        recall = measure.recall([hit.id for hit in hits], truth.documents(reading.sample), self._config["k"])
        score = next((value for bound, value in self._config["tiers"] if recall >= bound), self._config["below"])
        return Value(score, f"recall {recall:.3g}", {"recall": recall})


class Recall(RecallTiers):
    """Recall itself; of a row without labels, where the recipe says so, the diversity."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self.texts = config["unlabelled"] == "diversity"

    def value(self, reading: Reading, hits: Sequence[Hit]) -> Value:
        """Share of the relevant documents that were found."""
        if self.texts and truth.is_empty(reading.sample):
            diverse = Diversity(self._config).value(reading, hits)
            return Value(diverse.score, f"no labels, {diverse.why}", {"recall": 0.0})
        recall = measure.recall([hit.id for hit in hits], truth.documents(reading.sample), self._config["k"])
        return Value(recall, f"recall {recall:.3g}", {"recall": recall})


class Ndcg:
    """nDCG, at one depth in training and at another on held-out rows."""

    texts = False
    facts: tuple[str, ...] = ("recall",)

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = config

    def k(self, reading: Reading) -> int:
        """By the row's split."""
        trains = str(reading.sample.extra.get("split") or "") in self._config["training_splits"]
        return int(self._config["k"] if trains else self._config["k_held_out"] or self._config["k"])

    def value(self, reading: Reading, hits: Sequence[Hit]) -> Value:
        """nDCG@k and, beside it, recall@k."""
        k, grades, ids = self.k(reading), truth.documents(reading.sample), [hit.id for hit in hits]
        gain = measure.ndcg(ids, grades, k)
        return Value(gain, f"nDCG@{k} {gain:.3g}", {"recall": measure.recall(ids, grades, k)})


class EvidenceRank:
    """A value for the rank of the first passage with an answer in it."""

    texts = True
    facts: tuple[str, ...] = ("found", "reciprocal_rank")

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = config

    def k(self, reading: Reading) -> int:  # noqa: ARG002 - the protocol's signature
        """The recipe's."""
        return int(self._config["k"])

    def value(self, reading: Reading, hits: Sequence[Hit]) -> Value:
        """The value of the rank."""
        answers = [same_form(answer) for answer in truth.answers(reading.sample)]
        rank = next((place for place, hit in enumerate(hits, start=1) if _answered(hit.text, answers)), None)
        if rank is None:
            return Value(self._config["below"], "no passage holds an answer", {"found": 0.0, "reciprocal_rank": 0.0})
        score = next((value for bound, value in self._config["ranks"] if rank <= bound), self._config["below"])
        return Value(score, f"rank {rank}", {"found": 1.0, "reciprocal_rank": 1 / rank})


class Diversity:
    """1 minus the mean Jaccard overlap of the documents' words, over all pairs; 0 with fewer than two documents."""

    texts = True
    facts: tuple[str, ...] = ("documents",)

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = config

    def k(self, reading: Reading) -> int:  # noqa: ARG002 - the protocol's signature
        """The recipe's."""
        return int(self._config["k"])

    def value(self, reading: Reading, hits: Sequence[Hit]) -> Value:  # noqa: ARG002
        """How different the documents are."""
        bags = [set(tokens(hit.text)) for hit in hits]
        overlaps = [len(a & b) / len(a | b) if a | b else 1.0 for a, b in combinations(bags, 2)]
        score = 1 - sum(overlaps) / len(overlaps) if overlaps else 0.0
        return Value(score, f"{len(hits)} documents", {"documents": float(len(hits))})


def _answered(text: str, answers: Sequence[str]) -> bool:
    passage = same_form(text)
    return any(holds(passage, answer) for answer in answers)
