"""A static model before its training; what its pieces and vectors are is told in test_tokenizer and test_latent."""

import pytest

from core.embed.models import latent
from core.embed.models.spec import Static
from core.embed.models.static import build


class Counted:
    """Short texts; how many of them each pass has asked for."""

    def __init__(self, num_texts):
        self.num_texts, self.passes = num_texts, []

    def __iter__(self):
        self.passes.append(0)
        for number in range(self.num_texts):
            self.passes[-1] += 1
            yield f"fund {number % 50}"


@pytest.mark.slow
def test_of_a_large_corpus_only_what_is_analysed_is_held_as_pieces():
    texts = Counted(latent.MAX_DOCUMENTS + 100)
    model = build(Static(dimension=8, vocabulary=100), texts)
    assert texts.passes == [latent.MAX_DOCUMENTS + 100, latent.MAX_DOCUMENTS]
    assert model.encode(["fund 7"]).shape == (1, 8)
