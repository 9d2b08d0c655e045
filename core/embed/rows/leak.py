"""What training and an exam of other data share: then the exam is no proof."""

import logging
from collections.abc import Iterable

from core.embed.rows.row import Exam
from core.text.near import exact

log = logging.getLogger(__name__)


def tell(exam: Exam, queries: Iterable[str], answers: Iterable[str]) -> None:
    """Warn with counts when queries of the exam, or documents that answer them, are trained on.

    queries, answers: texts of the training; equal are those that differ in case, width, punctuation and white space.
    """
    trained, answering = {exact(text) for text in queries}, {exact(text) for text in answers}
    relevant = {d for judged in exam.qrels.values() for d, grade in judged.items() if grade > 0}
    asked = sum(exact(query.text) in trained for query in exam.queries)
    answered = [exact(d.contents) in answering for d in exam.documents if d.id in relevant] if answering else []
    if asked:
        what = "%d of the %d queries of %s are trained on too: measured on them, the model looks better than it is"
        log.warning(what, asked, len(exam.queries), exam.origin)
    if any(answered):
        what = "%d of the %d documents that answer queries of %s answer queries of the training too"
        log.warning(what, sum(answered), len(answered), exam.origin)
