"""The vectors of a batch, and what is known about them."""

# ruff: noqa: N815 - shapes stand in capitals at the end of a name
# B rows, C documents of a row at most, N distinct documents of the batch, H length of a vector

from dataclasses import dataclass, replace

from torch import Tensor


@dataclass(frozen=True)
class Embedded:
    """A batch after the model: vectors as it gives them, of any length."""

    queries_BH: Tensor
    texts_NH: Tensor
    """Each document of the batch once, however many rows it stands in."""
    documents_BC: Tensor
    """Rows of `texts_NH`, int64; -1 where a row has fewer documents. Column 0 answers the query, unless labels say
    otherwise, and is never -1."""
    weights_B: Tensor
    query_groups_B: Tensor
    """Digests of the queries' ids, int64: the same in all processes."""
    document_groups_N: Tensor
    """Digests of the ids of the documents that the texts are pieces of, int64."""
    labels_BC: Tensor | None = None
    """Relevance, or a teacher's score; NaN where there is no document. None: column 0 answers."""

    def cut(self, length: int) -> "Embedded":
        """The same with vectors of their first `length` numbers."""
        return replace(self, queries_BH=self.queries_BH[:, :length], texts_NH=self.texts_NH[:, :length])
