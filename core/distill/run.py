"""`dr distill run`: queries for the documents of a corpus, sifted, in BEIR form.

corpus.jsonl  queries.jsonl  qrels/train.tsv (and dev.tsv)   what training, mining, indexes and evaluations read
distilled.jsonl    one row a query: document and query with character, question type and difficulty
rejected.jsonl     what the gates refused, with the reason        failed.jsonl   what the teacher did not give
logs/answers.jsonl every answer of the language model
"""

import asyncio
import logging
import random
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence

from core import artifact, progress
from core.distill import asked, extractive, gates, output, plan, prompts, tried
from core.distill.draft import Draft
from core.distill.plan import Plan
from core.distill.recipe import Extractive, Recipe, TwoStage
from core.distill.tried import FAILED, TRIED, Tried
from core.distill.two_stage import Failure, Outcome
from core.errors import DataError, UsageError
from core.formats import beir

log = logging.getLogger(__name__)


def run(recipe: Recipe, work: artifact.Work) -> None:
    """Artifact of `data` -> queries and judgements.

    Raises:
        Missing: the language model is not there; what it answered is kept.
        BudgetReached: a cap is met; likewise.
        DataError: no query is left.
    """
    asked.take_over_answers(recipe.out, work)
    _distill(recipe, work, tried.read(work.path / artifact.LOGS / TRIED))


def retry_failed(recipe: Recipe, work: artifact.Work) -> None:
    """The same, but what failed in the finished artifact is asked for anew.

    Raises:
        UsageError: there is no finished artifact, or nothing in it failed.
    """
    if not (recipe.out / FAILED).exists():
        what = "nothing failed here" if recipe.out.exists() else "there is no finished artifact to retry from"
        raise UsageError(what, where=str(recipe.out), hint="run it without --retry-failed")
    asked.take_over_answers(recipe.out, work)
    _distill(recipe, work, tried.gather(recipe.out, work.logs))


def _distill(recipe: Recipe, work: artifact.Work, failed_before: Tried) -> None:
    planned = plan.of(recipe)
    outcomes = _outcomes(recipe, planned, work, failed_before)
    failures = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    output.write_failures(work.path, failures)
    drafts = [outcome for outcome in outcomes if isinstance(outcome, Draft)]
    rejected: Counter[str] = Counter()
    with gates.opened(recipe.data, recipe.gates, work.path / "gates") as sieve:
        verdicts = progress.track(sieve.sift(drafts), "distill: sift", len(drafts))
        kept = list(gates.keep(verdicts, work.path / gates.REJECTED, rejected))
    if not kept:
        if failures and not drafts:
            asked.set_aside_answers(work)
        raise _nothing_left(work, failures, rejected)
    splits = output.write(work.path, planned, kept)
    _tell(recipe, len(planned), kept, failures, rejected)
    if recipe.dev and len(splits) < 2:
        log.warning("`dev` is %g, but all %d queries fell into `%s`", recipe.dev, len(kept), *splits)
    shutil.copyfile(recipe.data / beir.CORPUS, work.path / beir.CORPUS)
    work.stats |= {
        "documents": planned.num_documents,
        "documents_asked": len(planned),
        "documents_with_queries": len({draft.document_id for draft in kept}),
        "asked": len(planned) * recipe.per_document,
        "written": len(drafts),
        "queries": len(kept),
        "judgements": splits,
        "rejected": dict(sorted(rejected.items())),
        "failed": dict(sorted(Counter(failure.reason for failure in failures).items())),
        "question_types": dict(sorted(Counter(draft.question_type for draft in kept).items())),
        "difficulties": dict(sorted(Counter(draft.difficulty for draft in kept if draft.difficulty).items())),
    }


def _outcomes(recipe: Recipe, planned: Plan, work: artifact.Work, failed_before: Tried) -> list[Outcome]:
    match recipe.teacher:
        case Extractive():
            return list(_extracted(recipe, recipe.teacher, planned))
        case TwoStage():
            templates = prompts.load(recipe.teacher.prompts)  # a fault of theirs is told before a server starts
            with asked.reached(recipe.teacher.llm.server, work.logs / "server.log") as base_url:
                asking = asked.ask(recipe, recipe.teacher, templates, planned, work, failed_before, base_url)
                found = asyncio.run(asking)
            return [outcome for outcomes in found for outcome in outcomes]


def _extracted(recipe: Recipe, spec: Extractive, planned: Plan) -> Iterator[Draft]:
    teacher = extractive.prepare(beir.read_documents(recipe.data), spec)
    for document in progress.track(planned.documents(), "distill: extract", len(planned)):
        # Seeded by the document, so that neither `limit` nor the order of the corpus changes its queries.
        rng = random.Random(f"{recipe.seed}/{document.id}")  # noqa: S311 - no secret hangs on it
        yield from teacher.write(document, recipe.per_document, rng)


def _tell(
    recipe: Recipe, documents: int, kept: Sequence[Draft], failures: Sequence[Failure], rejected: Counter[str]
) -> None:
    """Say how many queries came of those asked for, and where the others are."""
    log.info("%d queries for %d of %d documents", len(kept), len({draft.document_id for draft in kept}), documents)
    if rejected:
        log.info("%d rejected (%s): see %s", rejected.total(), _told(rejected), gates.REJECTED)
    if failures:
        reasons = Counter(failure.reason for failure in failures)
        log.warning("%d of %d queries failed (%s): see %s; --retry-failed asks for them again",
                    len(failures), documents * recipe.per_document, _told(reasons), FAILED)  # fmt: skip
    if missing := documents * recipe.per_document - len(kept) - rejected.total() - len(failures):
        log.info("%d fewer than asked for: the documents have no more to take", missing)


def _told(reasons: Counter[str]) -> str:
    return ", ".join(f"{count} × {reason}" for reason, count in reasons.most_common())


def _nothing_left(work: artifact.Work, failures: Sequence[Failure], rejected: Counter[str]) -> DataError:
    reasons = Counter(failure.reason for failure in failures) + rejected
    told = _told(reasons) or "the teacher wrote none"
    hint = "loosen `gates` or mend the prompts" if rejected else asked.ANEW
    first = f"; first failure: {failures[0].detail}" if failures else ""
    return DataError(
        f"no query is left: {told}{first}",
        where=str(work.path),
        hint=hint,
    )
