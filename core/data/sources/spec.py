"""The kinds of source that a recipe of `dr data` can name."""

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from core import shipped
from core.recipe import Part, SourceFiles

Files: TypeAlias = Annotated[Path | tuple[Path, ...], SourceFiles()]
"""A file, a pattern such as `parts/*.jsonl` (in order of name), or a list of both."""
MaybeFiles: TypeAlias = Annotated[Path | tuple[Path, ...] | None, SourceFiles()]
"""The same, or null."""

_JUDGED = "`qrels` are given without `queries`"


class Jsonl(Part):
    """Files with one JSON object a line; see `core.formats.jsonl` for the names that fields may have."""

    type: Literal["jsonl"]
    documents: Files
    """The documents: `id`, `_id` or `docid`; `contents` (a text, an object, a list) or `text`; perhaps a `title`.
    A file, a pattern such as parts/*.jsonl, or a list of them; names that end in .gz are unpacked as they are read."""
    queries: MaybeFiles = None
    """The queries: `id`, `_id` or `query_id`; `text`, `query` or `question`. null: none."""
    qrels: Annotated[Path | None, SourceFiles()] = None
    """Query id, document id and grade by tabs: one file is split `test`, a folder holds <split>.tsv. null: none."""

    @model_validator(mode="after")
    def _judgements_need_queries(self) -> "Jsonl":
        if self.qrels and not self.queries:
            raise ValueError(_JUDGED)
        return self


class Beir(Part):
    """A BEIR folder: corpus.jsonl, and if you like queries.jsonl and qrels/<split>.tsv."""

    type: Literal["beir"]
    path: Annotated[Path, SourceFiles()]
    """The folder."""


class Onefile(Part):
    """One JSON file with `queries`, `corpus` and perhaps `qrels`."""

    type: Literal["onefile"]
    path: Annotated[Path, SourceFiles()]
    """The file."""


class Trec(Part):
    """A TREC collection: documents, topics and judgements of four columns."""

    type: Literal["trec"]
    documents: Files
    """The documents: <DOC> records with a <DOCNO>, or one JSON object a line as in `type: jsonl`."""
    queries: MaybeFiles = None
    """The topics: <top> records, `id <tab> text` lines, or JSON lines. null: none."""
    query_field: Literal["title", "description", "narrative"] = "title"
    """The part of a <top> record that is the query; the others become its metadata."""
    qrels: Annotated[Path | None, SourceFiles()] = None
    """`query 0 document grade` by white space: one file is the split below, a folder holds files <split>.txt, .tsv or
    .qrels. null: none."""
    split: str = Field("test", pattern=r"^[\w.-]+$")
    """The split of judgements that come as one file."""

    @model_validator(mode="after")
    def _judgements_need_queries(self) -> "Trec":
        if self.qrels and not self.queries:
            raise ValueError(_JUDGED)
        return self


class Processed(Part):
    """A folder of train.jsonl, dev.jsonl, test.jsonl (one query a line, with its documents) and corpus.jsonl.

    A query's row has `query_id`, `query`, and perhaps its documents: a list of ids, an object of id and grade, or a
    list of objects, in a field such as `relevant_docs`; see `core.formats.judged` for the names.
    """

    type: Literal["processed"]
    path: Annotated[Path, SourceFiles()]
    """The folder."""


class Tevatron(Part):
    """Files as Tevatron keeps them. Negatives of a row were mined, not judged: they make no judgement."""

    type: Literal["tevatron"]
    queries: Files
    """One query a line with its `positive_document_ids`, or with the passages themselves (`positive_passages`)."""
    documents: MaybeFiles = None
    """One document a line: `docid` and `text`, perhaps a `title`. null: the passages in the rows, each id once."""
    split: str = Field("train", pattern=r"^[\w.-]+$")
    """The split that the judgements belong to."""


class Flagembedding(Part):
    """An evaluation set of FlagEmbedding: corpus.jsonl, <split>_queries.jsonl, <split>_qrels.jsonl."""

    type: Literal["flagembedding"]
    path: Annotated[Path, SourceFiles()]
    """The folder."""


class DocumentColumns(Part):
    """Where a document stands in a row."""

    id: str | None = None
    """Column of the id. null: the first there is of `id`, `_id`, `docid`, `doc_id`, `document_id`, `pid`, …"""
    title: str | None = None
    """Column of the title. null: `title`, where there is one."""
    text: str | tuple[str, ...] | None = None
    """Column of the text; several are a record, one `name: value` a line. null: the first there is of `contents`,
    `text`, `content`, `body`, `document`, `passage`."""


class QueryColumns(Part):
    """Where a query stands in a row."""

    id: str | None = None
    """Column of the id. null: the first there is of `id`, `_id`, `query_id`, `query-id`, `qid`."""
    text: str | None = None
    """Column of the text. null: the first there is of `text`, `query`, `question`, `contents`."""


class QrelsColumns(Part):
    """Where a judgement stands in a row; a column `split` names its split."""

    query: str | None = None
    """Column of the query's id. null: the first there is of `query-id`, `query_id`, `qid`, `query`."""
    document: str | None = None
    """Column of the document's id. null: the first of `corpus-id`, `corpus_id`, `docid`, `doc_id`, `document_id`, …"""
    grade: str | None = None
    """Column of the grade. null: the first there is of `score`, `relevance`, `grade`, `label`, `rel`; without any,
    every row is of grade 1."""


class Columns(Part):
    """Names of columns, where they are not the usual ones."""

    documents: DocumentColumns = DocumentColumns()
    """Columns of the documents; all others become metadata."""
    queries: QueryColumns = QueryColumns()
    """Columns of the queries; all others become metadata."""
    qrels: QrelsColumns = QrelsColumns()
    """Columns of the judgements."""


class Csv(Part):
    """Tables of text with a head, in UTF-8, with or without a byte-order mark."""

    type: Literal["csv"]
    documents: Files
    """The documents, a row each: a file, a pattern such as parts/*.csv, or a list of them."""
    queries: MaybeFiles = None
    """The queries, a row each. null: none."""
    qrels: Annotated[Path | None, SourceFiles()] = None
    """The judgements, a row each: one file is split `test` (or has a column `split`), a folder holds <split>.csv or
    .tsv. null: none."""
    delimiter: str | None = Field(None, min_length=1, max_length=1)
    """What parts the cells. null: a tab in files named .tsv, a comma in others."""
    columns: Columns = Columns()
    """Which column holds what."""

    @model_validator(mode="after")
    def _judgements_need_queries(self) -> "Csv":
        if self.qrels and not self.queries:
            raise ValueError(_JUDGED)
        return self


class Parquet(Part):
    """Parquet files, read batch by batch."""

    type: Literal["parquet"]
    documents: Files
    """The documents, a row each: a file, a pattern such as data/*.parquet, or a list of them."""
    queries: MaybeFiles = None
    """The queries, a row each. null: none."""
    qrels: Annotated[Path | None, SourceFiles()] = None
    """The judgements, a row each: one file is split `test` (or has a column `split`), a folder holds <split>.parquet.
    null: none."""
    columns: Columns = Columns()
    """Which column holds what."""

    @model_validator(mode="after")
    def _judgements_need_queries(self) -> "Parquet":
        if self.qrels and not self.queries:
            raise ValueError(_JUDGED)
        return self


class Datasets(Part):
    """A folder that Hugging Face `datasets` saved, or a data set's files as they lie on a hub.

    Its configurations are named as in BEIR's hub form: `corpus`, `queries`, and `default` or `qrels`.
    """

    type: Literal["datasets"]
    path: Annotated[Path, SourceFiles()]
    """The folder; a configuration is a folder in it, files of its name, or listed in the head of README.md."""
    qrels_path: Annotated[Path | None, SourceFiles()] = None
    """Another such folder for the judgements: some sets keep them in a repository of their own. null: the same."""
    documents: str = "corpus"
    """The configuration that holds the documents."""
    queries: str | None = "queries"
    """The configuration that holds the queries. null: they are not read, and no judgements."""
    qrels: str | None = None
    """The configuration that holds the judgements, split by split. null: `qrels` or `default`, where there is one."""
    columns: Columns = Columns()
    """Which column holds what."""


class Folder(Part):
    """Documents in files of their own: .pdf, .html, .htm, .docx, .md, .markdown and .txt, in folders of any depth.

    The id is the path under the folder, with `_` for white space. Needs the extra `documents`.
    """

    type: Literal["files"]
    path: Annotated[Path, SourceFiles()]
    """The folder. Files of other kinds are passed over and counted in a warning; hidden ones are not looked at."""
    pdf: Literal["file", "page"] = "file"
    """`file`: a PDF is one document. `page`: each page with text is one, `path#page=3`, with its number in `page`."""


class Python(Part):
    """A reader of your own: a Python file with a function that yields records.

    It yields `Document` and `Query` of `core.types` and `Judgement` of `core.formats.qrels`, or plain dicts of the
    same fields with a `kind`: `document`, `query` or `judgement`. It is called anew for each of the three.
    """

    type: Literal["python"]
    file: Annotated[Path, SourceFiles()]
    """The Python file; it is run in this process, and its digest goes into the manifest."""
    function: str = Field("read", pattern=r"^[A-Za-z_]\w*$")
    """The function; it takes `path` where that is given, else nothing."""
    path: Annotated[Path | None, SourceFiles()] = None
    """A file or folder that the function reads; its digest goes into the manifest. null: none is handed over."""
    documents: MaybeFiles = None
    """Documents as in `type: jsonl`, when the function yields only queries and judgements. null: it yields them."""


class Sample(Part):
    """A small corpus that comes with `dr`."""

    type: Literal["sample"]
    name: str = Field("finance_zh", pattern=r"^\w+$")
    """Its name: a folder under recipes/sample."""

    def folder(self) -> Path:
        """Where it lies in this installation."""
        return shipped.folder() / "sample" / self.name

    def file(self, name: str) -> Path:
        """Its file of JSON lines of this name, packed or not."""
        packed = self.folder() / f"{name}.jsonl.gz"
        return packed if packed.exists() else self.folder() / f"{name}.jsonl"


SourceSpec = Annotated[
    Jsonl
    | Beir
    | Onefile
    | Trec
    | Processed
    | Tevatron
    | Flagembedding
    | Csv
    | Parquet
    | Datasets
    | Folder
    | Python
    | Sample,
    Field(discriminator="type"),
]
