"""What a recipe can say of text analysis."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from core.recipe import Part, SourceFiles

View = Literal["words", "bigrams", "characters"]


class Chinese(Part):
    """Chinese text, with Latin words, codes, dates and numbers in it."""

    type: Literal["chinese"] = "chinese"
    segmenter: Literal["rjieba", "jieba"] = "rjieba"
    """`rjieba` gives jieba's words about 18 times faster; `jieba` is the reference."""
    views: Annotated[tuple[View, ...], Field(min_length=1)] = ("words", "bigrams")
    """Views of a run of Chinese characters, whose terms are kept apart; words alone lose up to 4 points of nDCG."""
    lexicon: Annotated[Path | None, SourceFiles()] = None
    """Words of the domain, one a line (a tab and more may follow): kept whole in segmentation. null: none."""

    @model_validator(mode="after")
    def _lexicon_needs_words(self) -> "Chinese":
        if self.lexicon and "words" not in self.views:
            raise ValueError("a `lexicon` acts on words: add `words` to `views`")
        return self


class English(Part):
    """English text: lower case, stop words removed, Snowball stems."""

    type: Literal["english"]
    stop_words: bool = True
    """Whether Lucene's 33 English stop words are left out."""
    stem: bool = True
    """Whether words are cut to their stem (Snowball English, also known as Porter 2)."""
    lexicon: Annotated[Path | None, SourceFiles()] = None
    """Words of the domain, one a line, weighted by `lexicon_weight`. null: none."""


class Whitespace(Part):
    """Text that is analysed already: terms between blanks, taken as they are."""

    type: Literal["whitespace"]


Analysis = Annotated[Chinese | English | Whitespace, Field(discriminator="type")]
