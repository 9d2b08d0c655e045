"""The loss of a batch is that of a plain loop, in one process or several, with cached gradients or without."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import (
    CachedMultipleNegativesRankingLoss,
    MultipleNegativesRankingLoss,
)
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

from core.embed.fit.batch import Collate
from core.embed.fit.objective import Objective
from core.embed.losses.spec import InfoNce, WeightedMse
from core.embed.rows.row import Row
from core.errors import RecipeError


@pytest.fixture
def model(tiny_bert):
    """In evaluation mode, so without dropout."""
    transformer = Transformer(str(tiny_bert))
    modules = [transformer, Pooling(transformer.get_embedding_dimension(), "mean")]
    return SentenceTransformer(modules=modules, device="cpu").eval()


def rows(num, negatives=1, seed=1):
    """All texts differ."""
    rng = random.Random(seed)
    text = lambda most: " ".join("".join(rng.choices("abcdefgh", k=5)) for _ in range(rng.randint(1, most)))  # noqa: E731
    return [
        Row(f"{n} {text(2)}", texts := tuple(f"{n} {text(9)}" for _ in range(1 + negatives)), f"q{n}", texts)
        for n in range(num)
    ]


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None}


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    assert max(slope.abs().max() for slope in expected.values()) > 1e-3
    for name, slope in expected.items():
        torch.testing.assert_close(found[name], slope, rtol=1e-4, atol=2e-6, msg=lambda m, name=name: f"{name}: {m}")


def columns(model, rows):
    """As sentence-transformers' trainer gives them to a loss: a batch for each column."""
    documents = zip(*(row.documents for row in rows), strict=True)
    return [model.preprocess(list(texts)) for texts in ([row.query for row in rows], *documents)]


@pytest.mark.parametrize("size", [None, 5])
def test_the_loss_is_that_of_a_plain_loop(model, size):
    spec, given = InfoNce(mini_batch_size=size), rows(12)
    theirs = MultipleNegativesRankingLoss(model, scale=20.0)
    if size:
        theirs = CachedMultipleNegativesRankingLoss(model, scale=20.0, mini_batch_size=size)
    expected = theirs(columns(model, given), None)
    loss = Objective(model, spec)(Collate(model, spec)(given))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert_same(gradients(model, loss), gradients(model, expected))


@pytest.mark.parametrize("size", [1, 4, 1000])
@pytest.mark.parametrize("fields", [{}, {"symmetric": True, "false_negative_margin": 0.0, "matryoshka": (8,)}])
def test_cached_gradients_are_those_of_the_whole(model, size, fields):
    given, whole, cached = rows(10), InfoNce(**fields), InfoNce(**fields, mini_batch_size=size)
    expected = Objective(model, whole)(Collate(model, whole)(given))
    loss = Objective(model, cached)(Collate(model, cached)(given))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert_same(gradients(model, loss / 3), gradients(model, expected / 3))


def test_both_passes_of_a_cached_loss_drop_the_same(model):
    given, cached = rows(10), InfoNce(mini_batch_size=4)
    batch = Collate(model, cached)(given)
    model.train()
    found, losses, drawn = [], [], []
    for spec in (cached, InfoNce()):  # the same groups one after another, so the same random numbers
        torch.manual_seed(3)
        loss = Objective(model, spec)(batch)
        found.append(gradients(model, loss))
        losses.append(loss.item())
        drawn.append(torch.rand(4))
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert_same(*found)
    assert torch.equal(*drawn)  # the second pass leaves no trace
    torch.manual_seed(4)
    assert Objective(model, InfoNce())(batch).item() != pytest.approx(losses[0], rel=1e-3)  # dropout does something


def test_the_second_pass_computes_in_the_numbers_of_the_first(model):
    spec, seen = InfoNce(mini_batch_size=4), []
    batch = Collate(model, spec)(rows(10))
    model[0].model.encoder.layer[0].output.dense.register_forward_hook(lambda *args: seen.append(args[2].dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = Objective(model, spec)(batch)
    loss.backward()  # outside, as a trainer does
    assert seen == [torch.bfloat16] * 2 * len(batch["groups"])
    assert loss.dtype is torch.float32


def test_nothing_is_kept_for_a_backward_pass_where_there_is_none(model):
    spec, given = InfoNce(mini_batch_size=4), rows(6)
    batch = Collate(model, spec)(given)
    with torch.no_grad():
        loss = Objective(model, spec)(batch)
    assert not loss.requires_grad
    assert loss.item() == pytest.approx(Objective(model, spec)(batch).item(), rel=1e-5)
    assert set(batch["groups"][0]) <= {"input_ids", "attention_mask", "token_type_ids", "modality"}


def test_a_static_model_is_trained_at_once_whatever_the_mini_batch(static_model):
    model = SentenceTransformer(str(static_model), device="cpu")
    given, slopes = rows(6), []
    for size in (None, 2):
        spec = InfoNce(mini_batch_size=size)
        slopes.append(gradients(model, Objective(model, spec)(Collate(model, spec)(given))))
    assert_same(*slopes)


def test_labels_reach_the_loss(model):
    given = [Row(row.query, row.documents[:1], row.query_id, row.documents[:1], (0.3,), 2.0) for row in rows(5)]
    loss = Objective(model, WeightedMse(type="weighted_mse"))(Collate(model, WeightedMse(type="weighted_mse"))(given))
    encoded = [
        model.encode(list(texts)) for texts in zip(*[(row.query, row.documents[0]) for row in given], strict=True)
    ]
    cosines = model.similarity_pairwise(*encoded)
    assert loss.item() == pytest.approx((2 * (cosines - 0.3) ** 2).mean().item(), rel=1e-4)


def test_a_cut_beyond_the_vectors_is_refused(model):
    with pytest.raises(RecipeError, match="has 64, and the model's vectors have 32 numbers"):
        Objective(model, InfoNce(matryoshka=(64, 8)))


WORKER = Path(__file__).with_name("two_processes.py")


@pytest.fixture(scope="module")
def apart(tiny_bert, tmp_path_factory):
    """What two processes found, name -> loss and gradient of each; see the program."""
    folder = tmp_path_factory.mktemp("apart")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*command, str(WORKER), str(tiny_bert), str(folder)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[4],
    )
    assert done.returncode == 0, done.stderr
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.slow
@pytest.mark.parametrize("case", ["plain", "symmetric", "cached", "uneven"])
def test_two_processes_are_one_with_all_rows(apart, case):
    for rank in range(2):
        found = apart[rank][case]
        assert found["loss"] == pytest.approx(found["expected_loss"], rel=1e-5)
        assert_same(found["gradient"], found["expected"])


@pytest.mark.slow
def test_cached_gradients_are_synchronised_once(apart):
    assert apart[0]["cached"]["synchronised"] == apart[0]["plain"]["synchronised"] == 1
