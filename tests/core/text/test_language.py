"""Which writing a text is in."""

import pytest

from core.text.language import language_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("基金的单位净值是多少", "zh"),
        ("沪深300ETF和恒生ETF有什么不同", "zh"),
        ("茅台", "zh"),
        ("does a beta blocker help", "en"),
        ("Qu’est-ce que la valeur liquidative d’un fonds", "en"),
        ("基金 net asset value per share of the fund", "en"),
        ("遺言執行者がいない場合はどうなりますか", "other"),
        ("смертность при сердечной недостаточности", "other"),
        ("펀드의 순자산가치는 얼마입니까", "other"),
        ("PE ratio", None),
        ("600654.SH", None),
        ("2021-06-15 1.23%", None),
        ("？！", None),
        ("", None),
    ],
)
def test_the_writing_of_a_text(text, language):
    assert language_of(text) == language


def test_japanese_is_told_from_chinese_by_a_fifth_of_kana():
    # 16 characters and 4 kana: 4 is not more than a quarter of 16; with 5 it is
    assert language_of("遗" * 16 + "の" * 4) == "zh"
    assert language_of("遗" * 16 + "の" * 5) == "other"
