"""Our formulas beside sentence-transformers' own losses, values and gradients.

The model of these tests is a table: a word is a text, its row is its vector. So a loss of sentence-transformers and
one of ours start from the same numbers, and their gradients arrive in the same table.
"""

import pytest
import torch
from pydantic import TypeAdapter
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import losses
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from sentence_transformers.util import pairwise_cos_sim
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from core.embed.losses.criterion import criterion
from core.embed.losses.embedded import Embedded
from core.embed.losses.spec import AnyLoss
from core.errors import DataError

ROWS, LENGTH = 6, 16
QUERIES = torch.arange(ROWS)
POSITIVES, FIRST, SECOND = QUERIES + ROWS, QUERIES + 2 * ROWS, QUERIES + 3 * ROWS


@pytest.fixture
def table():
    """A model of 4 x ROWS words, each with a random vector."""
    words = {f"w{number}": number for number in range(4 * ROWS)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="w0"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    vectors = torch.randn(len(words), LENGTH, generator=torch.Generator().manual_seed(1))
    return SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=vectors)], device="cpu")


def spec(**fields):
    return TypeAdapter(AnyLoss).validate_python(fields)


def embedded(table, *columns, labels=None, weights=None, queries=None, documents=None):
    """Rows whose documents are the words of `columns`; every query and document has a group of its own, unless told."""
    vectors = table[0].embedding.weight
    texts, documents_BC = torch.stack(columns, 1).unique(return_inverse=True)
    return Embedded(
        queries_BH=vectors[QUERIES],
        texts_NH=vectors[texts],
        documents_BC=documents_BC,
        weights_B=torch.ones(ROWS) if weights is None else weights,
        query_groups_B=QUERIES if queries is None else torch.tensor(queries),
        document_groups_N=texts if documents is None else torch.tensor(documents),
        labels_BC=labels,
    )


def features(*columns):
    return [{"input_ids": column, "offsets": torch.arange(ROWS)} for column in (QUERIES, *columns)]


def gradient(table, loss):
    """The value, and the gradient of the table."""
    table.zero_grad()
    loss.backward()
    return loss.item(), table[0].embedding.weight.grad.clone()


def agree(table, ours, theirs):
    (value, slope), (their_value, their_slope) = gradient(table, ours), gradient(table, theirs)
    assert value == pytest.approx(their_value, rel=1e-5)
    assert slope.abs().max() > 1e-4
    torch.testing.assert_close(slope, their_slope, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("columns", [[POSITIVES], [POSITIVES, FIRST, SECOND]], ids=["pairs", "negatives"])
@pytest.mark.parametrize("symmetric", [False, True])
def test_infonce_is_multiple_negatives_ranking(table, columns, symmetric):
    both = {"directions": ("query_to_doc", "doc_to_query"), "partition_mode": "per_direction"} if symmetric else {}
    theirs = losses.MultipleNegativesRankingLoss(table, scale=1 / 0.07, **both)
    ours = criterion(spec(type="infonce", temperature=0.07, symmetric=symmetric))
    agree(table, ours(embedded(table, *columns)), theirs(features(*columns), None))


@pytest.mark.parametrize("margin", [0.0, 0.1, -0.2])
def test_the_false_negative_margin_is_that_of_a_model_that_guides_itself(table, margin):
    table[0].tokenizer = PreTrainedTokenizerFast(tokenizer_object=table[0].tokenizer)  # the only kind it takes
    theirs = losses.GISTEmbedLoss(
        table, table, temperature=0.1, margin=-margin, contrast_anchors=False, contrast_positives=False
    )
    ours = criterion(spec(type="infonce", temperature=0.1, false_negative_margin=margin))
    plain = criterion(spec(type="infonce", temperature=0.1))
    batch = embedded(table, POSITIVES, FIRST)
    agree(table, ours(batch), theirs(features(POSITIVES, FIRST), None))
    assert ours(batch) < plain(batch)  # something was masked


def test_the_margin_masks_queries_too_where_documents_look_for_theirs(table):
    batch = embedded(table, POSITIVES)
    cosines = torch.cosine_similarity(batch.queries_BH[:, None], batch.texts_NH[None], dim=-1)
    by_hand = []
    for scores in (cosines, cosines.T):
        for row, positive in zip(scores, scores.diagonal(), strict=True):
            kept = row[row <= positive + 0.05]
            by_hand.append(torch.logsumexp(kept / 0.1, 0) - positive / 0.1)
    ours = criterion(spec(type="infonce", temperature=0.1, false_negative_margin=0.05, symmetric=True))
    assert ours(batch).item() == pytest.approx(torch.stack(by_hand).mean().item(), rel=1e-5)


def test_without_in_batch_negatives_a_query_looks_among_its_own_documents(table):
    batch = embedded(table, POSITIVES, FIRST, SECOND)
    batch.documents_BC[0, 2] = -1  # one negative fewer
    cosines = torch.cosine_similarity(batch.queries_BH[:, None], batch.texts_NH[batch.documents_BC], dim=-1)
    cosines = cosines.masked_fill(batch.documents_BC < 0, -torch.inf)
    by_hand = torch.nn.functional.cross_entropy(cosines / 0.05, torch.zeros(ROWS, dtype=torch.long))
    assert criterion(spec(type="infonce", in_batch=False))(batch).item() == pytest.approx(by_hand.item(), rel=1e-5)


def test_positives_of_one_query_are_no_negatives_of_each_other(table):
    # Rows 0 and 1 ask the same: each finds its positive among 5 documents, the other rows among 6.
    same = embedded(table, POSITIVES, queries=[0, 0, 2, 3, 4, 5])
    cosines = torch.cosine_similarity(same.queries_BH[:, None], same.texts_NH[None], dim=-1) / 0.05
    cosines[0, 1] = cosines[1, 0] = -torch.inf
    by_hand = torch.nn.functional.cross_entropy(cosines, torch.arange(ROWS))
    assert criterion(spec(type="infonce"))(same).item() == pytest.approx(by_hand.item(), rel=1e-5)
    counted = criterion(spec(type="infonce", mask_same_document=False))
    assert counted(same).item() == counted(embedded(table, POSITIVES)).item()


def test_pieces_of_one_document_are_no_negatives_of_each_other_in_either_direction(table):
    same = embedded(table, POSITIVES, documents=[7, 7, 8, 9, 10, 11])
    cosines = torch.cosine_similarity(same.queries_BH[:, None], same.texts_NH[None], dim=-1) / 0.05
    cosines[0, 1] = cosines[1, 0] = -torch.inf
    own = torch.arange(ROWS)
    by_hand = (torch.nn.functional.cross_entropy(cosines, own) + torch.nn.functional.cross_entropy(cosines.T, own)) / 2
    assert criterion(spec(type="infonce", symmetric=True))(same).item() == pytest.approx(by_hand.item(), rel=1e-5)


def test_a_positive_that_several_rows_share_counts_for_each_of_them(table):
    # Two queries with one answer: documents are five, and none is masked for a row whose positive it is.
    shared = POSITIVES.clone()
    shared[1] = shared[0]
    batch = embedded(table, shared)
    assert len(batch.texts_NH) == ROWS - 1
    cosines = torch.cosine_similarity(batch.queries_BH[:, None], batch.texts_NH[None], dim=-1) / 0.05
    by_hand = torch.nn.functional.cross_entropy(cosines, batch.documents_BC[:, 0])
    assert criterion(spec(type="infonce"))(batch).item() == pytest.approx(by_hand.item(), rel=1e-5)


def test_a_document_is_not_kept_from_a_query_that_it_answers_in_another_row(table):
    # Rows: 0 asks q0 of d0, 1 asks q0 of d1, 2 asks q2 of d0. So d0 of row 2 answers the query of row 1 too, but d1
    # does not answer q2.
    shared = POSITIVES.clone()
    shared[2] = shared[0]
    batch = embedded(table, shared, queries=[0, 0, 2, 3, 4, 5])
    cosines = torch.cosine_similarity(batch.queries_BH[:, None], batch.texts_NH[None], dim=-1) / 0.05
    documents, queries = cosines.clone(), cosines[:, batch.documents_BC[:, 0]].T
    documents[0, 1] = documents[1, 0] = -torch.inf
    for row, column in [(0, 1), (1, 0), (0, 2), (2, 0), (2, 1)]:
        queries[row, column] = -torch.inf
    by_hand = torch.nn.functional.cross_entropy(documents, batch.documents_BC[:, 0])
    by_hand = (by_hand + torch.nn.functional.cross_entropy(queries, torch.arange(ROWS))) / 2
    assert criterion(spec(type="infonce", symmetric=True))(batch).item() == pytest.approx(by_hand.item(), rel=1e-5)


def test_weighted_mse_with_equal_weights_is_cosine_similarity_loss(table):
    labels = torch.rand(ROWS, generator=torch.Generator().manual_seed(2))
    ours = criterion(spec(type="weighted_mse"))
    theirs = losses.CosineSimilarityLoss(table)
    agree(table, ours(embedded(table, POSITIVES, labels=labels[:, None])), theirs(features(POSITIVES), labels))


def test_weights_are_not_divided_by_their_sum(table):
    labels, weights = torch.linspace(0, 1, ROWS), torch.tensor([3.0, 0.0, 1.0, 1.0, 2.0, 0.5])
    batch = embedded(table, POSITIVES, labels=labels[:, None], weights=weights)
    cosines = torch.cosine_similarity(batch.queries_BH, batch.texts_NH[batch.documents_BC[:, 0]])
    by_hand = (weights * (cosines - labels) ** 2).sum() / ROWS
    assert criterion(spec(type="weighted_mse"))(batch).item() == pytest.approx(by_hand.item(), rel=1e-5)


@pytest.mark.parametrize("columns", [[POSITIVES, FIRST], [POSITIVES, FIRST, SECOND]], ids=["one", "two"])
def test_margin_mse_is_that_of_sentence_transformers(table, columns):
    scores = 5 * torch.randn(ROWS, len(columns), generator=torch.Generator().manual_seed(3))
    ours = criterion(spec(type="margin_mse", scale=4))
    theirs = losses.MarginMSELoss(table, similarity_fct=pairwise_cos_sim)
    agree(table, ours(embedded(table, *columns, labels=scores)), theirs(features(*columns), scores / 4))


def test_kl_is_distill_kl_div(table):
    scores = 3 * torch.randn(ROWS, 3, generator=torch.Generator().manual_seed(4))
    ours = criterion(spec(type="kl", temperature=0.1, teacher_temperature=2.0))
    theirs = losses.DistillKLDivLoss(
        table, similarity_fct=pairwise_cos_sim, student_temperature=0.1, teacher_temperature=2.0
    )
    columns = [POSITIVES, FIRST, SECOND]
    theirs = theirs(features(*columns), scores) / 0.1**2  # they multiply by its square
    agree(table, ours(embedded(table, *columns, labels=scores)), theirs)


@pytest.mark.parametrize("loss", ["margin_mse", "kl"])
def test_a_missing_negative_changes_nothing(table, loss):
    scores = torch.randn(ROWS, 3, generator=torch.Generator().manual_seed(5))
    ours = criterion(spec(type=loss))
    wide = embedded(table, POSITIVES, FIRST, SECOND, labels=scores)
    wide.documents_BC[:, 2], wide.labels_BC[:, 2] = -1, torch.nan
    narrow = embedded(table, POSITIVES, FIRST, labels=scores[:, :2])
    agree(table, ours(wide), ours(narrow))


@pytest.mark.parametrize("loss", ["weighted_mse", "margin_mse", "kl"])
def test_rows_without_labels_are_refused(table, loss):
    with pytest.raises(DataError, match="needs a label"):
        criterion(spec(type=loss))(embedded(table, POSITIVES, FIRST))


@pytest.mark.parametrize("inner", ["infonce", "weighted_mse"])
def test_matryoshka_is_the_mean_over_cut_lengths_and_the_whole(table, inner):
    labels = torch.rand(ROWS, generator=torch.Generator().manual_seed(6)) if inner == "weighted_mse" else None
    batch = embedded(table, POSITIVES, labels=None if labels is None else labels[:, None])
    ours = criterion(spec(type=inner, matryoshka=[4, 8, LENGTH]))
    plain = {
        "infonce": losses.MultipleNegativesRankingLoss(table, scale=20.0),
        "weighted_mse": losses.CosineSimilarityLoss(table),
    }
    theirs = losses.MatryoshkaLoss(table, plain[inner], matryoshka_dims=[LENGTH, 8, 4])
    agree(table, ours(batch), theirs(features(POSITIVES), labels) / 3)
    assert ours(batch).item() == criterion(spec(type=inner, matryoshka=[8, 4]))(batch).item()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_vectors_of_half_precision_are_compared_in_full(table, dtype):
    batch = embedded(table, POSITIVES)
    half = Embedded(**{**vars(batch), "queries_BH": batch.queries_BH.to(dtype), "texts_NH": batch.texts_NH.to(dtype)})
    loss = criterion(spec(type="infonce"))(half)
    assert loss.dtype is torch.float32
    assert loss.item() == pytest.approx(criterion(spec(type="infonce"))(batch).item(), rel=2e-2)


def test_a_symmetric_loss_without_in_batch_negatives_is_refused():
    with pytest.raises(ValueError, match="needs `in_batch`"):
        spec(type="infonce", symmetric=True, in_batch=False)
