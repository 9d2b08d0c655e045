import gzip

import pytest

from core.errors import DataError
from core.formats import trec_collection as trec
from core.formats.trec import read_qrels

DOCS = """
<doc>
<docno> A-1 </docno> <docid>9</docid>
<headline> Profits &amp; losses </headline>
<text> First <p> part </p> </text>
<text>
Second &lt;part&gt;
</text>
</doc><junk>
<DOC><DOCNO>A-2</DOCNO>
No text mark, <b>only</b> words.
</DOC>
"""

TOPICS = """<top>
<num> Number: 301
<title> International
Crime

<desc> Description:
Which groups?

<narr> Narrative:
A document: about groups.
</top>
<top><num>302</num><title>基金</title></top>
"""


def write(tmp_path, text, name="a.txt"):
    (tmp_path / name).write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return tmp_path / name


@pytest.mark.parametrize("name", ["docs.sgml", "docs.gz"])
def test_marked_documents_are_read(tmp_path, name):
    path = write(tmp_path, DOCS, name)
    first, second = trec.documents(path)
    assert (first.item.id, first.item.title) == ("A-1", "Profits & losses")
    assert first.item.text.split() == ["First", "part", "Second", "<part>"]
    assert first.where == f"{path}:2"
    assert (second.item.id, second.item.title) == ("A-2", "")
    assert second.item.text.split() == ["No", "text", "mark,", "only", "words."]


def test_topics_are_read_with_their_other_parts_as_metadata(tmp_path):
    path = write(tmp_path, TOPICS)
    bad = []
    first, second = (found.item for found in trec.queries(path, "title", bad.append))
    assert (first.id, first.text) == ("301", "International Crime")
    assert first.metadata == {"description": "Which groups?", "narrative": "A document: about groups."}
    assert (second.id, second.text, second.metadata) == ("302", "基金", {})
    (described,) = (found.item for found in trec.queries(path, "description", bad.append))
    assert (described.text, described.metadata["title"]) == ("Which groups?", "International Crime")
    assert [row.what for row in bad] == ["topic `302` has no description"]


def test_topics_may_be_lines_with_tabs_or_json(tmp_path):
    assert [f.item.text for f in trec.queries(write(tmp_path, "1\tone two\n2\tthree\n"), "title")] == [
        "one two",
        "three",
    ]
    assert [f.item.id for f in trec.queries(write(tmp_path, '{"id": 1, "text": "one"}\n'), "title")] == ["1"]


def test_judgements_of_four_columns_are_read_whatever_parts_them(tmp_path):
    path = write(tmp_path, "301 0 A-1 1\n301\tQ0\tA-2\t-2\n")
    assert [found[:4] for found in read_qrels(path, "dev")] == [
        ("dev", "301", "A-1", 1),
        ("dev", "301", "A-2", -2),
    ]


def test_bad_lines_are_told_and_the_others_are_read(tmp_path):
    bad = []
    path = write(tmp_path, "301 0 A-1\n301 0 A-2 x\n301 0 A-3 1\n")
    assert [found.document_id for found in read_qrels(path, "test", bad.append)] == ["A-3"]
    assert [(row.where, row.reason) for row in bad] == [(f"{path}:1", "wrong columns"), (f"{path}:2", "bad grade")]
    path = write(tmp_path, "1 one\n2\t \n3\tthree\n")
    bad.clear()
    assert [found.item.id for found in trec.queries(path, "title", bad.append)] == ["3"]
    assert [(row.where, row.reason) for row in bad] == [(f"{path}:1", "wrong columns"), (f"{path}:2", "empty query")]
    bad.clear()
    assert list(trec.documents(write(tmp_path, "<DOC>\n<TEXT>t</TEXT>\n</DOC>\n"), bad.append)) == []
    assert [row.what for row in bad] == ["the record has no <DOCNO>"]


@pytest.mark.parametrize(
    ("text", "told"),
    [("<DOC>\n<DOCNO>1</DOCNO>\n", "<DOC> is not closed"), ("<top></top>", "there is no <DOC>"), (" \n", "is empty")],
)
def test_a_file_without_whole_records_is_told(tmp_path, text, told):
    with pytest.raises(DataError, match=told):
        list(trec.documents(write(tmp_path, text)))


def test_gzip_that_is_cut_off_is_told(tmp_path):
    path = write(tmp_path, DOCS * 100, "docs.gz")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="not whole gzip"):
        list(trec.documents(path))


def test_records_on_one_line_are_all_read_and_a_sign_is_no_mark(tmp_path):
    text = "<DOC><DOCNO>a</DOCNO><TEXT>x < 5 and y > 3</TEXT></DOC><DOC><DOCNO>b</DOCNO><TEXT>two</TEXT></DOC>"
    found = [(found.item.id, found.item.text) for found in trec.documents(write(tmp_path, text))]
    assert found == [("a", "x < 5 and y > 3"), ("b", "two")]


def test_a_record_that_is_not_closed_is_a_bad_row_and_swallows_no_other(tmp_path):
    path = write(tmp_path, "<DOC>\n<DOCNO>a</DOCNO>\n<DOC>\n<DOCNO>b</DOCNO><TEXT>two</TEXT></DOC>\n")
    bad = []
    assert [found.item.id for found in trec.documents(path, bad.append)] == ["b"]
    assert [(row.where, row.what) for row in bad] == [
        (f"{path}:1", f"<DOC> is not closed before the next one begins at {path}:3")
    ]
