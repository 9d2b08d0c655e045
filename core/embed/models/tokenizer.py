"""A tokenizer learnt from a corpus: byte-pair encoding whose merges stay inside words.

Chinese is segmented while merges are learnt, so that they become words and parts of words. The finished tokenizer
needs no segmenter: it applies its merges to plain text, and the `tokenizers` library alone can run it.
"""

from collections.abc import Iterable, Iterator

import rjieba
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

UNKNOWN = "<unk>"

_RUN = Regex(r"\p{Han}+|[\p{L}\p{M}\p{N}&&[^\p{Han}]]+")
"""Runs of Chinese characters and runs of other letters and digits; what stands between them is dropped."""


def learn(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """A tokenizer of at most `vocabulary` pieces (more where there are more characters); pieces seen once are left out.

    The same texts in the same order give the same tokenizer: that is why it is not a unigram model, whose trainer
    gives other pieces on every run.
    """
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Split(_RUN, "removed", invert=True)
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, min_frequency=2, special_tokens=[UNKNOWN], show_progress=False)
    tokenizer.train_from_iterator(_segmented(texts, tokenizer.normalizer), trainer)
    return tokenizer


def _segmented(texts: Iterable[str], normalizer: normalizers.Normalizer) -> Iterator[str]:
    return (" ".join(rjieba.cut(normalizer.normalize_str(text))) for text in texts)
