"""The static model before its training."""

from collections.abc import Iterable, Iterator

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding

from core.embed.models import latent, tokenizer
from core.embed.models.spec import Static


def build(spec: Static, texts: Iterable[str]) -> SentenceTransformer:
    """A model whose pieces and first vectors come from `texts`, gone through once; its prompts are empty."""
    analysed: list[str] = []
    pieces = tokenizer.learn(_noted(texts, analysed), spec.vocabulary)
    encoded = [encoding.ids for encoding in pieces.encode_batch_fast(analysed, add_special_tokens=False)]
    vectors = latent.token_vectors(encoded, pieces.get_vocab_size(), spec.dimension)
    return SentenceTransformer(
        modules=[StaticEmbedding(pieces, embedding_weights=vectors)],
        similarity_fn_name="cosine",
        device="cpu",
    )


def _noted(texts: Iterable[str], first: list[str]) -> Iterator[str]:
    """The same texts; those that will be analysed are put into `first`, for a large corpus is not held in memory."""
    for text in texts:
        if len(first) < latent.MAX_DOCUMENTS:
            first.append(text)
        yield text
