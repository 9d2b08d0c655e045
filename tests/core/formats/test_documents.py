"""Files of documents, made by hand: a PDF of plain objects, a DOCX of plain XML."""

import logging
import zipfile

import pytest

from core.errors import DataError, UsageError
from core.formats.documents import folder
from core.formats.documents.web import page
from core.formats.rows import BadRow


def pdf(path, texts, title="", more=b""):
    """A PDF with one page for each text; a page without text is blank."""
    pages = range(len(texts))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(b"%d 0 R" % (5 + 2 * n) for n in pages), len(texts)),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Title (%s) >>" % title.encode(),
    ]
    for number, text in enumerate(texts):
        stream = b"BT /F1 12 Tf 72 720 Td (%s) Tj ET" % text.encode() if text else b""
        objects += [
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >>"
            b" /Contents %d 0 R >>" % (6 + 2 * number),
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        ]
    data, places = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    data += b"".join(b"%010d 00000 n \n" % place for place in places)
    data += b"trailer\n<< /Size %d /Root 1 0 R /Info 4 0 R %s >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1, more, start,
    )  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def docx(path, paragraphs):
    """A DOCX; a paragraph that begins with `# ` is a heading."""
    body, heading = "", '<w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/></w:style>'
    for text in paragraphs:
        style = '<w:pPr><w:pStyle w:val="Heading1"/></w:pPr>' if text.startswith("# ") else ""
        body += f"<w:p>{style}<w:r><w:t>{text.removeprefix('# ')}</w:t></w:r></w:p>"
    kinds = "http://schemas.openxmlformats.org/package/2006"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("word/document.xml", f"<w:document {W}><w:body>{body}</w:body></w:document>")
        file.writestr("word/styles.xml", f"<w:styles {W}>{heading}</w:styles>")
        file.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{kinds}/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>',
        )
        file.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{kinds}/relationships">'
            f'<Relationship Id="r1" Type="{office}" Target="word/document.xml"/></Relationships>',
        )
    return path


def read(home, **more):
    return {found.item.id: found.item for found in folder.documents(home, **more)}


def one(home):
    (item,) = read(home).values()
    return item


def refused(home):
    bad = []
    assert list(folder.documents(home, bad.append)) == []
    (row,) = bad
    return row


PAGE = """<!doctype html><html><head><title> Annual
 report </title><style>p {}</style></head><body>
<header>Logo</header><nav><a href="/">Home</a></nav><div role="banner">Sale</div>
<article><header><h1>2023</h1></header><p>Profit <b>ro</b>se to
5&nbsp;million.</p><script>track()</script><ul><li>one<li>two</ul>
<table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td>d</td></tr></table>
<pre>x = 1
y = 2</pre>up<br>down<!-- hidden --></article>
<footer>Imprint</footer></body></html>"""


def test_a_web_page_is_read_without_its_frame():
    found = page(PAGE)
    assert found.title == "Annual report"
    lines = ["2023", "Profit rose to 5 million.", "one", "two", "a b", "c d", "x = 1", "y = 2", "up", "down"]
    assert found.text.split("\n") == lines


def test_the_first_heading_is_the_title_of_a_page_without_one():
    found = page("<h1>净值 <i>公告</i></h1><p>正文</p>")
    assert (found.title, found.text) == ("净值 公告", "正文")


def test_a_web_page_is_decoded_as_it_declares(tmp_path):
    text = '<meta charset="gb2312"><title>瑞萱</title><p>基金镕</p>'  # 镕 is in GBK, not in GB 2312
    (tmp_path / "a.html").write_bytes(text.encode("gb18030"))
    assert (one(tmp_path).title, one(tmp_path).text) == ("瑞萱", "基金镕")
    (tmp_path / "a.html").write_bytes("<p>基金</p>".encode("gb18030"))
    bad = refused(tmp_path)
    assert bad.reason == "not UTF-8"
    assert "declares nothing" in bad.what
    (tmp_path / "a.html").write_bytes(b'<meta charset="klingon"><p>x</p>')
    assert "an encoding that nobody knows: 'klingon'" in refused(tmp_path).what


def test_markdown_gives_its_words_its_front_matter_and_its_title(tmp_path):
    text = (
        "---\ntitle: Rates\ndate: 2024-05-01\ntags: [a, b]\n---\n# Intro\n\nRates *rise*\nfast. [More](x.md)\n\n- one\n"
    )
    (tmp_path / "a.md").write_text("\ufeff" + text, encoding="utf-8")
    item = one(tmp_path)
    assert (item.id, item.title, item.metadata) == ("a.md", "Rates", {"date": "2024-05-01", "tags": ["a", "b"]})
    assert item.text == "Intro\nRates rise fast. More\none"


def test_the_first_heading_is_the_title_of_markdown_without_front_matter(tmp_path):
    (tmp_path / "a.md").write_text("## About `x` and\n*y*\n\n| a | b |\n|---|---|\n| 1 | 2 |\n", encoding="utf-8")
    item = one(tmp_path)
    assert (item.title, item.metadata) == ("About x and", {})
    assert item.text == "y\na b\n1 2"


@pytest.mark.parametrize(
    ("front", "told"),
    [
        ("a: 1\nb: {c", "its front matter is not valid YAML: line 4: expected ',' or '}'"),
        ("date: 2024-13-45", "its front matter is not valid YAML: month must be in 1..12"),
        ("- a\n- b", "its front matter is not a YAML mapping"),
    ],
)
def test_front_matter_that_is_no_mapping_is_a_bad_row(tmp_path, front, told):
    (tmp_path / "a.md").write_text(f"---\n{front}\n---\ntext\n")
    assert refused(tmp_path).what.startswith(told)


def test_a_rule_at_the_top_of_markdown_is_no_front_matter(tmp_path):
    (tmp_path / "a.md").write_text("---\n\ntext\n")
    assert one(tmp_path).text == "text"


def test_a_word_file_gives_paragraphs_and_its_heading_as_title(tmp_path):
    docx(tmp_path / "a.docx", ["# 年度报告", "营业收入增长。", "第二段。"])
    item = one(tmp_path)
    assert (item.title, item.text, item.metadata) == ("年度报告", "营业收入增长。\n第二段。", {})


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "encrypted, or a .doc of the old kind"),
        (b"PK\x03\x04 cut off", "no readable Word file"),
        (b"", "no readable Word file"),
    ],
)
def test_a_word_file_that_is_none_is_a_bad_row(tmp_path, data, told):
    (tmp_path / "a.docx").write_bytes(data)
    bad = refused(tmp_path)
    assert (bad.reason, bad.where) == ("unreadable file", str(tmp_path / "a.docx"))
    assert told in bad.what


def test_a_pdf_is_one_document_or_one_for_each_page_with_text(tmp_path):
    pdf(tmp_path / "a b" / "r.pdf", ["First page", "", "Third page"], "A report")
    item = one(tmp_path)
    assert (item.id, item.title, item.text) == ("a_b/r.pdf", "A report", "First page\nThird page")
    assert item.metadata == {"file": "a b/r.pdf", "pages": 3}
    first, third = read(tmp_path, pdfs="page").values()
    assert (first.id, first.text) == ("a_b/r.pdf#page=1", "First page")
    assert (third.id, third.title, third.text) == ("a_b/r.pdf#page=3", "A report", "Third page")
    assert third.metadata == {"file": "a b/r.pdf", "page": 3, "pages": 3}


def test_a_pdf_of_pictures_is_a_bad_row(tmp_path):
    pdf(tmp_path / "scan.pdf", ["", ""])
    bad = refused(tmp_path)
    assert (bad.reason, bad.where) == ("no text layer", str(tmp_path / "scan.pdf"))
    assert "no text layer in its 2 pages" in bad.what


def test_an_encrypted_pdf_is_a_bad_row_unless_the_empty_password_opens_it(tmp_path):
    from pypdf import PdfReader, PdfWriter

    plain = pdf(tmp_path / "plain.txt", ["Secret"])
    for name, password in (("open.pdf", ""), ("shut.pdf", "x")):
        writer = PdfWriter(clone_from=PdfReader(plain))
        writer.encrypt(password, owner_password="owner", algorithm="RC4-128")
        writer.write(tmp_path / name)
    plain.unlink()
    bad = []
    (found,) = folder.documents(tmp_path, bad.append)
    assert (found.item.id, found.item.text) == ("open.pdf", "Secret")
    assert [(row.where, row.what) for row in bad] == [
        (str(tmp_path / "shut.pdf"), "it is encrypted: its text needs a password")
    ]


@pytest.mark.parametrize(
    "data", [b"", b"no pdf", b"%PDF-1.4\n1 0 obj\n<<", b"%PDF-1.4\ntrailer << /Root 9 0 R >>\n%%EOF"]
)
def test_a_broken_pdf_is_a_bad_row(tmp_path, data):
    (tmp_path / "a.pdf").write_bytes(data)
    assert refused(tmp_path).reason == "unreadable file"


def test_a_word_file_packed_in_an_unknown_way_is_a_bad_row(tmp_path):
    docx(tmp_path / "a.docx", ["text"])
    data = bytearray((tmp_path / "a.docx").read_bytes())
    data[data.index(b"PK\x01\x02") + 10] = 99  # the method of compression
    (tmp_path / "a.docx").write_bytes(data)
    assert "NotImplementedError" in refused(tmp_path).what


def test_a_pdf_cut_off_anywhere_is_read_or_a_bad_row(tmp_path):
    whole = pdf(tmp_path / "a.pdf", ["First page", "Second page"]).read_bytes()
    for size in range(0, len(whole), 37):
        (tmp_path / "a.pdf").write_bytes(whole[:size])
        bad = []
        found = list(folder.documents(tmp_path, bad.append))
        assert len(found) + len(bad) == 1


def test_a_folder_is_read_in_order_with_paths_as_ids(tmp_path, caplog):
    for name in ("b/two.txt", "a.TXT", "b/c/three.txt", "b/image.png", ".git/x.txt", "b/.hidden.txt", "README"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("\ufefftext", encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        found = read(tmp_path)
    assert list(found) == ["a.TXT", "b/c/three.txt", "b/two.txt"]
    assert {item.text for item in found.values()} == {"text"}
    assert "2 files of other kinds are passed over (no suffix: 1, .png: 1)" in caplog.text


def test_a_text_that_is_not_utf8_is_a_bad_row_with_its_name(tmp_path):
    (tmp_path / "a.txt").write_bytes("基金".encode("gb18030"))
    with pytest.raises(BadRow, match="not UTF-8") as raised:
        read(tmp_path)
    assert raised.value.where == str(tmp_path / "a.txt")


def test_a_folder_without_documents_and_no_folder_are_errors(tmp_path):
    with pytest.raises(DataError, match="no file here is a document"):
        read(tmp_path)
    with pytest.raises(UsageError, match="no such folder"):
        read(tmp_path / "absent")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="a file is here, a folder"):
        read(tmp_path / "file")


def test_xhtml_and_pages_that_look_like_an_address_are_read_in_silence(tmp_path):
    xhtml = '<?xml version="1.0"?>\n<html xmlns="http://www.w3.org/1999/xhtml"><title>T</title><p>words</p></html>'
    assert (page(xhtml).title, page(xhtml).text) == ("T", "words")
    assert page("https://example.org/a.html").text == "https://example.org/a.html"


def test_deep_markup_is_read(tmp_path):
    assert page("<div>" * 5000 + "deep" + "</div>" * 5000).text == "deep"


def test_a_link_to_a_folder_is_told_and_a_link_to_nothing_is_an_error(tmp_path, caplog):
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert list(read(tmp_path)) == ["a.txt"]
    assert "a link to a folder is not followed" in caplog.text
    (tmp_path / "b.txt").symlink_to(tmp_path / "nothing")
    with pytest.raises(UsageError, match="there is no such file"):
        read(tmp_path)


def test_a_page_of_many_blocks_is_read():
    # Quadratic work on them would take minutes.
    assert page("<body>" + "<p>中 <b>a</b></p>" * 50_000).text.count("\n") == 49_999
