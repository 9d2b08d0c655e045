"""From what the JSON says of a part to the part."""

from collections.abc import Callable, Mapping
from typing import Any

from core.errors import ContractError
from core.reward import truth
from core.reward.parts import answers, form, ranking, sql
from core.reward.parts.custom import Custom
from core.reward.parts.judged import Graded
from core.reward.parts.tools import ToolUse
from core.reward.sample import Part, Sample
from core.reward.services.judge import Judge
from core.reward.services.retriever import Retriever

_RULES: Mapping[str, Callable[[Mapping[str, Any]], Part]] = {
    "format": form.Format,
    "format_pieces": form.FormatPieces,
    "length": form.Length,
    "exact_match": answers.ExactMatch,
    "choice": answers.Choice,
    "f1": answers.F1,
    "tool_use": ToolUse,
    "sql_execution": sql.SqlExecution,
    "python": Custom,
}
_RANKINGS: Mapping[str, Callable[[Mapping[str, Any]], ranking.Rule]] = {
    "recall_tiers": ranking.RecallTiers,
    "recall": ranking.Recall,
    "ndcg": ranking.Ndcg,
    "evidence_rank": ranking.EvidenceRank,
    "diversity": ranking.Diversity,
}
_JUDGED = ("semantic_match", "process_judge")

TRUTHS: Mapping[str, Callable[[Sample], object]] = {
    **dict.fromkeys(("recall_tiers", "recall", "ndcg"), truth.documents),
    **dict.fromkeys(("evidence_rank", "choice", "f1"), truth.answers),
    **dict.fromkeys(("exact_match", "semantic_match", "process_judge"), truth.text),
    "sql_execution": truth.sql,
}
"""Type of part -> what reads its ground truth, and raises where it does not fit."""

TYPES = (*_RULES, *_RANKINGS, *_JUDGED)
"""Every type of part."""


class Services:
    """The services that parts share: one retriever, and a judge for each way of asking one."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = config
        self._retriever: Retriever | None = None
        self._judges: list[Judge] = []

    def retriever(self) -> Retriever:
        """The reward's retriever."""
        self._retriever = self._retriever or Retriever(self._config["retriever"])
        return self._retriever

    def judge(self, config: Mapping[str, Any]) -> Judge:
        """A judge of a part."""
        self._judges.append(Judge(config))
        return self._judges[-1]

    def close(self) -> None:
        """Close connections, end threads."""
        if self._retriever:
            self._retriever.client.close()
        for judge in self._judges:
            judge.close()


def build(config: Mapping[str, Any], services: Services, most_excluded: float | None) -> Part:
    """A part by its type. `most_excluded`: share of samples whose judge may fail; None: no one's.

    Raises:
        ContractError: the JSON names a type of another version.
    """
    type_ = config["type"]
    if make := _RULES.get(type_):
        return make(config)
    if rule := _RANKINGS.get(type_):
        return ranking.Ranked(rule(config), services.retriever())
    if type_ in _JUDGED:
        return Graded(config, services.judge(config["judge"]), most_excluded)
    raise ContractError(f"the reward has a part `{type_}`, which this version does not know")
