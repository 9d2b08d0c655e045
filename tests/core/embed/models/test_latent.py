import numpy as np
import pytest
import torch

from core.embed.models import latent


def test_the_decomposition_is_that_of_numpy():
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(30, 40, generator=generator) * (torch.rand(30, 40, generator=generator) < 0.3)
    places = matrix.nonzero().T
    sparse = torch.sparse_coo_tensor(places, matrix[*places], matrix.shape, check_invariants=True)
    found = latent._decompose(sparse.coalesce(), 30).numpy()
    left, singular, _ = np.linalg.svd(matrix.numpy())
    expected = left * np.sqrt(singular)
    # A singular vector is fixed up to its sign: the products of rows are not concerned.
    assert found @ found.T == pytest.approx(expected @ expected.T, abs=1e-3)


def test_a_small_corpus_gives_vectors_of_full_length():
    torch.manual_seed(0)
    assert latent.token_vectors([[0, 1], [1, 2], [2, 3]], vocabulary=5, dimension=64).shape == (5, 64)


def test_pieces_of_the_same_documents_point_the_same_way():
    torch.manual_seed(0)
    vectors = torch.nn.functional.normalize(latent.token_vectors([[0, 1], [0, 1], [2, 3], [2, 3]], 4, 128))
    assert vectors[0] @ vectors[1] > 0.9
    assert abs(vectors[0] @ vectors[2]) < 0.3


def test_the_length_is_the_square_root_of_idf():
    torch.manual_seed(0)
    # N = 4: piece 0 in 3 documents, piece 1 in 1: idf ln(5 / 3.5) = 0.357 and ln(5 / 1.5) = 1.204
    vectors = latent.token_vectors([[0, 1], [0, 2], [0, 2], [2, 3]], 4, 256)
    ratio = vectors[1].norm() / vectors[0].norm()
    assert ratio == pytest.approx((1.204 / 0.357) ** 0.5, rel=0.05)
    assert vectors.norm(dim=1).mean() == pytest.approx(1, abs=0.05)


def test_a_piece_seen_nowhere_weighs_little():
    torch.manual_seed(0)
    lengths = latent.token_vectors([[0, 1], [1, 2], [2, 0]], 4, 64).norm(dim=1)
    assert lengths[3] < 0.3 * lengths[:3].min()
