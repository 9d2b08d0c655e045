"""All that a training reads, for every kind of `train`."""

from dataclasses import replace

from core.embed.recipe import Recipe
from core.embed.rows import check, documents, exam, examples, graded, judged, leak, questions
from core.embed.rows.documents import Drawn
from core.embed.rows.row import Material
from core.embed.rows.spec import Documents, Examples, Graded, Judged, Mined


def read(recipe: Recipe) -> Material:
    """The same for the same recipe and files, in whatever process; faults of the data are told here.

    Raises:
        UsageError: a file or a split is absent.
        DataError: a bad row, with file and line; data that teach nothing, or too few to hold any out.
        ContractError: queries, judgements and documents do not belong together.
    """
    material = _read(recipe)
    given = isinstance(recipe.train, Graded) and recipe.train.validation is not None
    processes = recipe.machine.processes or 1  # null: what the machine has, which the training knows
    check.validation(material.validation, processes=processes, batch_size=recipe.rows_a_step, given=given)
    if recipe.proof.data is None:
        return material
    asked = exam.of_corpus(recipe.proof.data, recipe.proof, recipe.seed)
    leak.tell(asked, *_trained(material))
    return replace(material, exam=asked)


def _read(recipe: Recipe) -> Material:
    match recipe.train:
        case Documents() as train:
            return documents.read(recipe, train)
        case Judged() as train:
            return judged.read(recipe, train)
        case Mined() as train:
            return examples.read(recipe, train.data / questions.EXAMPLES, train.negatives)
        case Examples() as train:
            return examples.read(recipe, train.path, train.negatives)
        case Graded() as train:
            return graded.read(recipe, train)


def _trained(material: Material) -> tuple[set[str], set[str]]:
    """The queries that are trained on, and the documents that answer them.

    Of documents that rows are cut out of, only the questions count: learning from a corpus is no leak.
    """
    if isinstance(material.training, Drawn):
        return set(material.training.questions()), set()
    rows = [material.training[number] for number in range(len(material.training))]
    # Column 0 answers, but for a label of 0; a teacher's score of 0 says nothing, and its column 0 answers too.
    answers = {row.documents[0] for row in rows if len(row.documents) > 1 or not row.labels or row.labels[0] > 0}
    return {row.query for row in rows}, answers
