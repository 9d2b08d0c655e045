"""The static model before its training."""

from collections.abc import Iterable
from itertools import islice

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding

from core.embed.models import latent, tokenizer
from core.embed.models.spec import Static


def build(spec: Static, texts: Iterable[str]) -> SentenceTransformer:
    """A model whose pieces and first vectors come from `texts`, which are gone through twice; its prompts are empty."""
    pieces = tokenizer.learn(texts, spec.vocabulary)
    analysed = list(islice(texts, latent.MAX_DOCUMENTS))
    encoded = [encoding.ids for encoding in pieces.encode_batch_fast(analysed, add_special_tokens=False)]
    vectors = latent.token_vectors(encoded, pieces.get_vocab_size(), spec.dimension)
    return SentenceTransformer(
        modules=[StaticEmbedding(pieces, embedding_weights=vectors)],
        similarity_fn_name="cosine",
        device="cpu",
    )
