"""Excuses of a language model, as they stand where a query should be. Standard library only.

A question may hold the same words ("what if I cannot repay?"), so an excuse counts where it opens the text, or where
the model speaks of itself.
"""

import re

_EXCUSE = re.compile(
    r"as an? (?:ai|artificial intelligence|(?:large )?language model)\b"
    r"|^(?:i(?:['’]m| am) )?(?:sorry|afraid)\b[^?？]{0,40}\b(?:cannot|can['’]?t|can not|unable|won['’]?t|not able)\b"
    r"|^(?:i|we) (?:cannot|can['’]?t|can not|am unable to|won['’]?t|am not able to) "
    r"(?:generate|create|write|provide|produce|fulfil|comply|assist|help with)\b"
    r"|作为(?:一个|一名|一款)?(?:ai|人工智能|大?(?:型)?语言模型|智能助手)"
    r"|^(?:非常|很|十分)?(?:抱歉|对不起|不好意思)[^?？]{0,20}(?:无法|不能|没办法|没有办法|难以)"
    r"|^我?(?:无法|不能)(?:生成|提供(?:该|此|这|相关|符合)|为您|为你|根据(?:该|此|这|给定|所给|提供|您|你)|完成(?:该|此|这|您|你))"
    r"|^(?:根据|从)(?:给定|所给|提供)的[^?？]{0,20}(?:无法|不能)(?:生成|写出|提出)"
)


def refusal(text: str) -> str | None:
    """The words by which `text` is an excuse; None when it is none."""
    found = _EXCUSE.search(text.strip().lower())
    return found[0] if found else None
