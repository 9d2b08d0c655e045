"""Contrastive training on pairs: the positives of the other pairs in a step are a pair's negatives."""

import math
import random
from collections.abc import Iterator, Mapping, Sequence

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

from core import progress
from core.embed import pairs
from core.embed.recipe import Recipe
from core.errors import DrError
from core.tracking import Tracker
from core.types import Document

WARM_UP = 0.1
"""Share of the steps over which the learning rate rises."""


Questions = Mapping[str, Sequence[str]]
"""Document id -> questions that it answers."""


def train(
    model: SentenceTransformer,
    documents: Sequence[Document],
    questions: Questions,
    recipe: Recipe,
    tracker: Tracker,
) -> int:
    """Train `model` in place; the number of steps taken.

    Raises:
        DrError: the loss is no number any more.
    """
    total = num_steps(len(documents), recipe)
    if total == 0:
        return 0
    criterion = MultipleNegativesRankingLoss(model, scale=1 / recipe.temperature)
    optimizer = torch.optim.Adam(model.parameters(), lr=recipe.learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, total))
    model.train()
    with progress.bar("embed: train", total) as bar:
        for step, batch in zip(range(1, total + 1), _batches(documents, questions, recipe), strict=False):
            loss = _loss(criterion, model, batch)
            _check(loss, step, recipe)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            if step == 1 or step % recipe.log_every == 0 or step == total:
                tracker.log({"train/loss": loss.item(), "train/learning_rate": float(schedule.get_last_lr()[0])}, step)
            schedule.step()
            bar.advance()
    model.eval()
    return total


def num_steps(num_documents: int, recipe: Recipe) -> int:
    """Steps of the whole training; each epoch has whole batches only, at least one."""
    if recipe.epochs == 0:
        return 0
    return max(recipe.epochs * max(1, num_documents // recipe.batch_size), recipe.min_steps)


def _batches(documents: Sequence[Document], questions: Questions, recipe: Recipe) -> Iterator[list[pairs.Pair]]:
    """Batches without end. A document is at most once in a batch: its own other pair would be a false negative."""
    rng = random.Random(f"{recipe.seed}/pairs")  # noqa: S311 - no secret hangs on it
    size = min(recipe.batch_size, len(documents))
    order = list(documents)
    while True:
        rng.shuffle(order)
        for start in range(0, len(order) - size + 1, size):
            yield [
                pairs.draw(document, recipe.pairs, rng, questions.get(document.id, ()))
                for document in order[start : start + size]
            ]


def _loss(
    criterion: MultipleNegativesRankingLoss, model: SentenceTransformer, batch: Sequence[pairs.Pair]
) -> torch.Tensor:
    queries = model.preprocess([pair.query for pair in batch])
    positives = model.preprocess([pair.positive for pair in batch])
    loss: torch.Tensor = criterion([queries, positives], torch.arange(len(batch)))
    return loss


def _rate(step: int, total: int) -> float:
    """The learning rate's factor: up over the first tenth of the steps, then down to 0 in a line."""
    rising = max(1, round(WARM_UP * total))
    return min((step + 1) / rising, (total - step) / max(1, total - rising))


def _check(loss: torch.Tensor, step: int, recipe: Recipe) -> None:
    if not math.isfinite(loss.item()):
        raise DrError(
            f"the loss is {loss.item()} at step {step}: the training has left all measure",
            hint=f"try learning_rate={recipe.learning_rate / 10:g}, or a higher temperature={recipe.temperature * 2:g}",
        )
