"""Text as terms. An analyzer is a pure function of the text and its contract; the contract is stored in the index.

A view keeps its terms apart by a mark in front, because a word and a bigram of the same two characters have different
document frequencies. Latin words, codes, dates and numbers stand in no view: they are terms once.
"""

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import add
from typing import Any, Protocol

from core import digest, versions
from core.errors import ContractError
from core.text import lexicon
from core.text.normal import CJK, normalise
from core.text.spec import Analysis, Whitespace

log = logging.getLogger(__name__)

BIGRAM = "\x02"
CHARACTER = "\x01"

# Lucene's EnglishAnalyzer leaves these out.
STOP_WORDS = frozenset(
    {"a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it", "no", "not", "of"}
    | {"on", "or", "such", "that", "the", "their", "then", "there", "these", "they", "this", "to", "was", "will"}
    | {"with"}
)  # fmt: skip

VERSION = 1
"""Raised when the rules of this package give other terms than before."""

PROBES = (
    "基金代码009730在2021年6月15日的单位净值是1.2300元，A股上市公司600654.SH公告了利润分配方案",
    "The company's running costs rose 3.5% in Q3 2020-09-30, according to its auditors' reports",
    "二〇一九年十二月三十一日披露营业收入１，２３４，５６７.５０元，即1,234,567.50元，沪深300ETF跌破3.50。SH600654，２０１９／０１／２５",
)
"""Texts whose terms tell whether an analyzer is the one an index was built with."""

_CJK_RUN = re.compile(f"[{CJK}]+")
_LATIN = re.compile(r"[0-9]+\.[0-9]+|[^\W_]+")
_GLUED = re.compile(r"[0-9]+|[^\W0-9_]+")
_POSSESSIVE = re.compile(r"['’]s\b")

Terms = Callable[[str], list[str]]


@dataclass(frozen=True)
class Analyzer:
    """Turns text into terms, in order, repeats included."""

    terms: Terms
    lexicon: frozenset[str]
    """Terms whose contribution a lexicon weight multiplies."""
    contract: dict[str, Any]
    """Everything that decides the terms, and a digest of what the probes become."""


def from_spec(spec: Analysis) -> Analyzer:
    """The analyzer that a recipe asks for; reads its lexicon."""
    words = lexicon.read(spec.lexicon) if not isinstance(spec, Whitespace) and spec.lexicon else []
    options = {"version": VERSION, **spec.model_dump(mode="json", exclude={"lexicon"}), "lexicon": words}
    analyzer = _make(options)
    if several := [word for word in words if spec.type == "english" and len(analyzer.terms(word)) != 1]:
        log.warning("%d lexicon entries are not one term and have no weight, %r for one", len(several), several[0])
    return Analyzer(analyzer.terms, analyzer.lexicon, {**options, "probe": _probe(analyzer.terms), **_library(options)})


def from_contract(contract: dict[str, Any]) -> Analyzer:
    """The analyzer that an index was built with. Nothing heavy happens before the first text."""
    return Analyzer(_checked(contract), frozenset(contract.get("lexicon", ())), contract)


def _checked(contract: dict[str, Any]) -> Terms:
    """The contract's terms function, which proves on first use that it is still the same one."""
    ready: list[Terms] = []

    def terms(text: str) -> list[str]:
        if not ready:
            made = _make(contract).terms
            if _probe(made) != contract["probe"]:
                raise ContractError(
                    f"the analyzer gives other terms than the one this index was built with ({_library(contract)} now, "
                    f"{ {name: contract.get(name) for name in _library(contract)} } then)",
                    hint="install those versions, or build the index again with --force",
                )
            ready.append(made)
        return ready[0](text)

    return terms


def _make(options: dict[str, Any]) -> Analyzer:
    words = frozenset(options.get("lexicon", ()))
    match options["type"]:
        case "chinese":
            return Analyzer(_chinese(options["segmenter"], options["views"], sorted(words)), words, options)
        case "english":
            terms, stem = _english(stop_words=options["stop_words"], stem=options["stem"])
            return Analyzer(terms, frozenset(stem(sorted(words))), options)
        case "whitespace":
            return Analyzer(str.split, frozenset(), options)
        case other:
            raise ContractError(f"the index was built with an analyzer `{other}`, which this version does not have")


def _chinese(segmenter: str, views: Sequence[str], words: list[str]) -> Terms:
    cut = _segmenter(segmenter, words).cut if "words" in views else None
    has_cjk = re.compile(f"[{CJK}]").search
    bigrams, characters = "bigrams" in views, "characters" in views

    def terms(text: str) -> list[str]:
        text = normalise(text)
        out = _latin(_CJK_RUN.sub(" ", text))
        if cut:
            out += [word for word in cut(text) if has_cjk(word)]
        if bigrams or characters:
            for run in _CJK_RUN.findall(text):
                if bigrams:
                    out += [BIGRAM + pair for pair in map(add, run, run[1:])]
                if characters:
                    out += [CHARACTER + character for character in run]
        return out

    return terms


def _english(*, stop_words: bool, stem: bool) -> tuple[Terms, Callable[[list[str]], list[str]]]:
    import Stemmer

    stopped = STOP_WORDS if stop_words else frozenset[str]()
    cut: Callable[[list[str]], list[str]] = Stemmer.Stemmer("english").stemWords if stem else list

    def terms(text: str) -> list[str]:
        words = _latin(_POSSESSIVE.sub("", normalise(text)))
        return cut([word for word in words if word not in stopped])

    return terms, cut


def _latin(text: str) -> list[str]:
    """Words and numbers of a text in normal form; letters glued to digits are terms together and apart."""
    return [term for token in _LATIN.findall(text) for term in _parts(token)]


def _parts(token: str) -> Iterator[str]:
    """The token, and its letters and digits where both are in it: `600654sh`, `300etf` and `5g` are found by each."""
    yield token
    if len(parts := _GLUED.findall(token)) > 1 and "." not in token:
        yield from parts


class _Segmenter(Protocol):
    def cut(self, text: str) -> Sequence[str]: ...


def _segmenter(name: str, words: list[str]) -> _Segmenter:
    """rjieba or jieba with user words, their frequency chosen by jieba's own rule so that they stay whole."""
    if name == "rjieba":
        import rjieba

        fast = rjieba.Jieba()
        for word in words:
            fast.add_word(word, None, None)
        return fast
    import jieba

    jieba.setLogLevel(30)
    tokenizer = jieba.Tokenizer()
    for word in words:
        tokenizer.add_word(word)
    return _Lists(tokenizer.lcut)


class _Lists:
    """jieba's list form under the name rjieba uses."""

    def __init__(self, cut: Callable[[str], list[str]]) -> None:
        self.cut = cut


def _probe(terms: Terms) -> str:
    return digest.of_text("\n".join(" ".join(terms(text)) for text in PROBES))


def _library(options: dict[str, Any]) -> dict[str, str | None]:
    """The package whose version can change the terms, with its version here."""
    match options:
        case {"type": "chinese", "segmenter": str() as name}:
            return {name: versions.installed(name)}
        case {"type": "english", "stem": True}:
            return {"PyStemmer": versions.installed("PyStemmer")}
        case _:
            return {}
