"""What every desk does with a request: holds the recipe's limits, and asks its engine."""

from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from core.errors import Missing
from core.serve.engine import Abandoned, Engine, WorkFailed
from core.serve.journal import Entry
from core.serve.protocol import Question
from core.serve.recipe import Recipe
from core.serve.refused import Refused
from core.serve.waiting import H, Overloaded, R, T

Gone = Callable[[], Awaitable[bool]]
"""Whether the client has gone away."""


def engine(
    recipe: Recipe, work: Callable[[H, Sequence[T]], Sequence[R]], thread: ThreadPoolExecutor, max_batch: int
) -> Engine[T, H, R]:
    """An engine with the recipe's queue."""
    wait = recipe.max_wait_milliseconds / 1000
    return Engine(work, thread, max_batch=max_batch, max_wait_seconds=wait, max_queue=recipe.max_queue)


def check_size(texts: Sequence[str], recipe: Recipe, one: str, many: str) -> None:
    """Raises Refused for too many texts (413) or one that is too long (422); they are called `one` and `many`."""
    if len(texts) > recipe.max_queries:
        raise Refused(413, f"{len(texts)} {many} in one request, at most {recipe.max_queries}: send parts")
    most = recipe.query_max_characters
    if most is not None and (long := [i for i, text in enumerate(texts) if len(text) > most]):
        raise Refused(422, f"{one} {long[0]} has {len(texts[long[0]])} characters, at most {most} are allowed")


def depth(question: Question, recipe: Recipe) -> int:
    """How many documents are asked for each query. Raises Refused (422) for none, or more than the server gives."""
    k = recipe.top_k if question.topk is None else question.topk
    if not 1 <= k <= recipe.max_top_k:
        raise Refused(422, f"`topk` is {k}, this server gives 1 to {recipe.max_top_k} (its `max_top_k`)")
    return k


async def ask(
    engine: Engine[T, H, R], items: Sequence[T], how: H, gone: Gone, entry: Entry, *, retry_after: int, many: str
) -> list[R]:
    """The row of each item; notes in `entry` how long it waited.

    Raises:
        Refused: no room in the queue (503), the client left (499), somebody whom we ask does not answer (502), or the
            work failed (500).
    """
    try:
        rows, entry.queued_seconds = await engine.ask(items, how, gone)
    except Overloaded:
        what = f"{engine.queue.num_items} {many} are waiting: try again later"
        raise Refused(503, what, {"Retry-After": str(retry_after)}) from None
    except Abandoned:
        raise Refused(499, "the client went away") from None
    except WorkFailed as error:
        if isinstance(error.__cause__, Missing):
            raise Refused(502, error.__cause__.what, {"Retry-After": str(retry_after)}) from None
        raise Refused(500, f"it failed: {error}") from None
    return rows
