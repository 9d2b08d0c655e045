"""Chinese characters and words."""

from core.text.units import units


def test_units_are_chinese_characters_and_words_with_the_blanks_behind_them():
    assert units("基金A 的net  value\n是") == ["基", "金", "A ", "的", "net  ", "value\n", "是"]


def test_units_together_are_the_text_without_leading_white_space():
    text = "  The 净值, (per share) 是1.23。\n"
    assert "".join(units(text)) == text.lstrip()
    assert units(" \n") == []
