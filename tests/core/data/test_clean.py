import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from core.data import clean
from core.data.recipe import Clean
from core.types import Document

ALL = Clean()
NOTHING = Clean(unicode=None, control_characters=False, invisible_characters=False, white_space=False)


def test_white_space_becomes_single_blanks_and_line_ends():
    assert clean.text("  a \t b\u3000c\u00a0\n\n \r\n d \n", ALL) == "a b c\nd"


def test_zero_width_and_control_characters_are_taken_out():
    assert clean.text("基\u200b金\ufeff0\u00ad09\x00730\x07", ALL) == "基金009730"


def test_letters_and_accents_compose_even_around_an_invisible_character():
    assert clean.text("e\u200b\u0301", ALL) == "é"


def test_chinese_punctuation_stays_unless_nfkc_is_asked_for():
    assert clean.text("净值，①％", ALL) == "净值，①％"
    assert clean.text("净值，①％", Clean(unicode="NFKC")) == "净值,1%"


def test_markup_goes_and_entities_become_characters():
    page = "<style>p{}</style><p>A&amp;B &lt;1&gt;</p><script>if (a<b) x()</script><p>债<b>券</b><!-- no --></p>"
    assert clean.text(page, Clean(html=True)) == "A&B <1>\n债券"
    assert clean.text("a < b", Clean(html=True)) == "a < b"
    assert clean.text(page, ALL) == page


def test_each_way_can_be_switched_off():
    untidy = "<p>e\u0301 \u200b\x00  &amp;\n\n</p>"
    assert clean.text(untidy, NOTHING) == untidy


def test_a_title_is_one_line_and_metadata_stays():
    found = clean.document(Document("d", "a\n\nb", "T\n t ", {"x": " y "}), ALL)
    assert found == Document("d", "a\nb", "T t", {"x": " y "})


@settings(deadline=None)
@given(st.text(st.sampled_from("ae基 \n\t\r\u0301\u200b\u3000\u2028\x00\x1c\u00ad。")))
def test_tidy_text_stays_as_it_is(text):
    tidy = clean.text(text, ALL)
    assert clean.text(tidy, ALL) == tidy
    assert unicodedata.is_normalized("NFC", tidy)
    assert "  " not in tidy
    assert tidy.isprintable() or "\n" in tidy
