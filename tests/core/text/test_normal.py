import pytest

from core.text.normal import normalise

DAY = ["20190125", "201901", "2019"]


@pytest.mark.parametrize(
    "written",
    [
        "20190125",
        "2019-01-25",
        "2019/1/25",
        "2019.01.25",
        "2019年1月25日",
        "2019 年 01 月 25 号",
        "二〇一九年一月二十五日",
        "２０１９－０１－２５",
    ],
)
def test_a_day_is_one_term_however_it_is_written(written):
    assert normalise(f"截至{written}，净值").replace("截至", "").partition(",")[0].split() == DAY


@pytest.mark.parametrize(
    ("written", "terms"), [("2021年12月", ["202112", "2021"]), ("二零二一年十月份", ["202110", "2021"])]
)
def test_a_month_is_a_term_that_its_days_have_too(written, terms):
    assert normalise(written).split() == terms


@pytest.mark.parametrize(
    "text", ["20191399", "2019-13-01", "2019-02-30", "192.168.20.1", "120190125", "2019012599", "3.14.15"]
)
def test_what_is_no_date_stays(text):
    assert normalise(text) == text


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("1,234,567.50元", "1234567.5元"),
        ("１．２３００", "1.23"),
        ("100.00", "100"),
        ("1,23", "1,23"),
        ("ＥＴＦ", "etf"),
    ],
)
def test_numbers_and_wide_characters_have_one_form(written, normal):
    assert normalise(written) == normal


def test_chinese_tens_are_read():
    # 十 = 10, 二十 = 20, 三十一 = 31, 十二 = 12
    assert normalise("二〇二〇年十月二十日").split()[0] == "20201020"
    assert normalise("二〇二〇年十二月三十一日").split()[0] == "20201231"


def test_a_chinese_comma_parts_two_numbers():
    assert normalise("股价100，200日均线") == "股价100,200日均线"


def test_a_long_number_takes_no_longer_than_its_length():
    # A quadratic rule took 10 s for 50,000 digits; a million must come back at all.
    assert normalise("0." + "0" * 1_000_000 + "1").endswith("01")
