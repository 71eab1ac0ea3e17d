"""Files are read as lenders write them: with commas in numbers, codes for numbers, and letters of any encoding."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from features.declared import from_plain, plain_of
from features.errors import ConfigurationRefused, DataRefused, TablesRefused
from features.portfolios import Portfolio, open_portfolio
from features.portfolios.numbers import COMMA, Notation
from models.cards import card_of

ROWS = """id;applied;amount;income;spent;quota;since;town;result;back
A1;05/01/2024;1.234,50;4200,5;-9;300;31/12/2020;Köln;N;
A2;07/01/2024;800;-9,0;900;250;01/02/2021;Málaga;S;12,5
A3;09/01/2024;2.000;1000;1000;100;n/a;Köln;N;
"""
FILE = """
name = "book"
card = "application"
observe.each = "applied_on"

[tables.loans]
file = "loans.csv"
separator = ";"
decimal = ","
thousands = "."
format = "%d/%m/%Y"
nulls = ["", "n/a"]

[tables.loans.columns]
loan_id = "id"
borrower_id = "id"
product = { value = "instalment" }
currency = { value = "EUR" }
amount = { column = "amount", per_unit = 100 }
applied_on = "applied"

[outcome]
column = "result"
bad = ["S"]
good = ["N"]
after_days = 365
recovered = { column = "back", per_unit = 100 }
"""
FREE = """
[computed]
free = { minus = ["income", "spent"] }
"""
QUOTA = """
[features.quota_to_free]
group = "ability"
ratio = ["quota", "free"]
"""
INCOME = """
[features.income]
group = "ability"
"""
SINCE = """
[features.client_for]
group = "willingness"
months_since = "since"
"""
UNKNOWN = """
[codes]
income = { unknown = [-9] }
spent = { "-9" = { en = "not asked", zh = "未询问" } }
"""


@pytest.fixture
def book_of(tmp_path):
    def written(file: str, rows: str = ROWS, *, encoding: str = "utf-8", outcomes: bool = True) -> Portfolio:
        (tmp_path / "portfolio.toml").write_text(file)
        (tmp_path / "loans.csv").write_bytes(rows.encode(encoding))
        return open_portfolio(str(tmp_path), outcomes=outcomes)

    return written


def values(book: Portfolio) -> dict[str, list[float | None]]:
    frame = book.catalog.values(book.history()).frame()
    return {feature.name: frame.get_column(feature.name).to_list() for feature in book.features}


def test_numbers_are_read_with_the_signs_that_the_file_has(book_of):
    book = book_of(FILE + INCOME)
    assert book.tables.loans.get_column("amount").to_list() == [123_450, 80_000, 200_000]
    assert book.outcomes.get_column("recovered").to_list() == [None, 1_250, None]
    assert values(book) == {"income": [4200.5, -9.0, 1000.0]}


@pytest.mark.parametrize(
    ("notation", "texts", "numbers"),
    [
        (COMMA, ["1,5", "-9", " 2 ", "1.5", "1.234,5", "1e-3", ",5", "x"], [1.5, -9, 2, None, None, 0.001, 0.5, None]),
        (Notation(",", "."), ["1.234,5", "12.34", "1234"], [1234.5, None, 1234]),
        (Notation(",", " "), ["1 234,5", "1\u202f234", "1\u00a0234 567"], [1234.5, 1234, 1234567]),
        (Notation(".", "'"), ["1'234.5", "1’234"], [1234.5, 1234]),
        (Notation(".", ","), ["1,234.5", "1,23"], [1234.5, None]),
    ],
)
def test_a_text_is_a_number_only_as_the_file_writes_them(notation, texts, numbers):
    assert notation.numbers(pl.Series(texts)).to_list() == numbers


def test_commas_that_nobody_declared_are_said_once_for_a_column_and_hide_no_other_fault(book_of):
    rows = "id;amount;income;x\n" + "".join(f"A{row};{row},25;{row},5;{row},75\n" for row in range(1, 61))
    file = FILE.replace('decimal = ","\nthousands = "."\n', "").replace('applied_on = "applied"\n', "")
    with pytest.raises(TablesRefused) as refusal:
        book_of(file.replace('observe.each = "applied_on"', "").split("[outcome]")[0] + INCOME, rows)
    assert refusal.value.found == (
        "120 faults: table 'loans', all 60 rows (0, 1, 2, ...), column 'amount': expected a number, written like "
        "1234.5; where numbers are written with a comma, the table says decimal = \",\"; table 'facts', all 60 rows "
        "(0, 1, 2, ...), column 'income': expected a number, written like 1234.5; where numbers are written with a "
        'comma, the table says decimal = ","'
    )


def test_a_fault_names_the_lenders_own_column_beside_ours(book_of):
    with pytest.raises(TablesRefused, match=r"row 1, column 'applied_on' \(yours: 'applied'\)"):
        book_of(FILE, ROWS.replace("07/01/2024", "2024-01-07"))
    with pytest.raises(TablesRefused, match=r"row 2, column 'amount' \(yours: 'amount'\)|row 2, column 'amount'"):
        book_of(FILE, ROWS.replace("2.000", "-2.000"))
    with pytest.raises(TablesRefused, match=r"row 1, column 'loan_id' \(yours: 'id'\)"):
        book_of(FILE, ROWS.replace("A2;", ";"))


def test_rows_that_break_a_tables_rule_are_numbered_as_in_the_file(book_of):
    file = FILE.replace("nulls =", 'where = [{ column = "id", none_of = ["A1"] }]\nnulls =')
    with pytest.raises(TablesRefused) as refusal:
        book_of(file, ROWS.replace("2.000", "-2.000"))
    assert [fault.row for fault in refusal.value.faults] == [2]


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-16"])
def test_letters_are_read_in_the_encoding_that_the_table_names(book_of, encoding):
    towns = '[features.town]\ngroup = "circumstances"\nlevels = ["Köln", "Málaga"]\n'
    file = FILE.replace("separator", f'encoding = "{encoding}"\nseparator') + towns
    assert values(book_of(file, encoding=encoding)) == {"town": [0.0, 1.0, 0.0]}


def test_a_chinese_file_is_read_with_its_names_of_columns(book_of):
    file = FILE.replace("separator", 'encoding = "gb18030"\nseparator').replace('"applied"', '"申请日"')
    book = book_of(file, ROWS.replace("applied", "申请日").replace("ö", "o").replace("á", "a"), encoding="gb18030")
    assert book.tables.loans.get_column("applied_on").item(0) == date(2024, 1, 5)


def test_an_encoding_that_is_none_or_another_one_is_refused(book_of):
    with pytest.raises(ConfigurationRefused, match="no encoding named 'windows'"):
        book_of(FILE.replace("separator", 'encoding = "windows"\nseparator'))
    with pytest.raises(DataRefused, match="bytes that are no text in ascii"):
        book_of(FILE.replace("separator", 'encoding = "ascii"\nseparator'))
    with pytest.raises(DataRefused, match="another encoding"):
        book_of(FILE, encoding="cp1252")


@pytest.mark.parametrize("null", ["-9", "-9.0", "-9,0"])
@pytest.mark.parametrize("held", ["-9", "-9,0", "-9,00"])
def test_a_number_for_no_value_is_known_however_it_is_written(book_of, null, held):
    file = FILE.replace('"n/a"]', f'"n/a", "{null}"]') + INCOME
    assert values(book_of(file, ROWS.replace("-9,0", held)))["income"] == [4200.5, None, 1000.0]


def test_an_identifier_with_zeros_in_front_is_no_number(book_of):
    file = FILE.replace('"n/a"]', '"n/a", "7"]')
    assert book_of(file, ROWS.replace("A2;", "007;")).tables.loans.get_column("loan_id").item(1) == "007"


def test_days_that_are_not_written_as_iso_go_with_computed_columns(book_of):
    found = values(book_of(FILE + FREE + SINCE + QUOTA + UNKNOWN))
    assert found["client_for"] == [pytest.approx(36.2, abs=0.1), pytest.approx(35.2, abs=0.1), None]
    assert found["quota_to_free"] == [None, None, None]


def test_a_table_of_facts_from_the_loans_file_has_the_computed_columns_and_is_read_alike(book_of):
    facts = '\n[tables.facts]\nfile = "loans.csv"\ncolumns.loan_id = "id"\n'
    assert values(book_of(FILE + facts + FREE + SINCE + QUOTA)) == values(book_of(FILE + FREE + SINCE + QUOTA))


def test_a_single_column_may_write_its_days_otherwise(book_of):
    file = FILE.replace("nulls", 'formats = { since = "%Y-%m" }\nnulls') + SINCE
    rows = ROWS.replace("31/12/2020", "2020-12").replace("01/02/2021", "2021-02")
    assert values(book_of(file, rows))["client_for"][0] == pytest.approx(37.2, abs=0.1)


@pytest.mark.parametrize("facts", ["", '\n[tables.facts]\nfile = "loans.csv"\ncolumns.loan_id = "id"\n'])
def test_a_feature_of_a_column_that_does_not_exist_is_a_fault(book_of, facts):
    with pytest.raises(TablesRefused, match="table 'facts', column 'free': expected this column in the file"):
        book_of(FILE + facts + QUOTA)


def test_codes_of_a_column_hold_wherever_it_is_read(book_of):
    spent = (
        '[features.spent]\ngroup = "ability"\n[features.spent_share]\ngroup = "ability"\nratio = ["spent", "income"]\n'
    )
    book = book_of(FILE + FREE + QUOTA + INCOME + UNKNOWN + spent)
    assert values(book) == {
        "quota_to_free": [None, None, None],  # not 300 / 4209.5: the money spent is not known
        "income": [4200.5, None, 1000.0],
        "spent": [None, 900.0, 1000.0],
        "spent_is_minus_9": [1.0, 0.0, 0.0],
        "spent_share": [None, None, 1.0],
    }
    assert book.catalog["spent_is_minus_9"].label.zh == "未询问"


def test_codes_that_one_feature_declares_hold_for_the_others_and_for_mapped_columns(book_of):
    told = INCOME + 'codes = { "-9" = { en = "none", zh = "无" } }\n' + FREE + QUOTA
    assert values(book_of(FILE + told))["quota_to_free"] == [pytest.approx(300 / 4209.5), None, None]
    limit = FILE.replace('applied_on = "applied"', 'applied_on = "applied"\ncredit_limit = "spent"')
    assert book_of(limit + UNKNOWN).tables.loans.get_column("credit_limit").to_list() == [None, 900, 1000]


def test_codes_of_a_column_are_kept_with_a_fitted_card(book_of):
    declared = book_of(
        FILE + FREE + QUOTA + INCOME + UNKNOWN + '[features.q]\ngroup = "ability"\nratio = ["quota", "income"]\n'
    ).declared
    assert from_plain(plain_of(declared)) == declared
    assert dict(declared["q"].no_numbers) == {"income": (-9.0,)}


def test_codes_in_a_ratio_are_refused_with_where_they_go(book_of):
    with pytest.raises(ConfigurationRefused, match=r"as \[codes.quota\] unknown = \[-9\]"):
        book_of(FILE + QUOTA + "unknown = [-9]\n")
    with pytest.raises(ConfigurationRefused, match="a code is a number"):
        book_of(FILE + '[codes.income]\nnone = { en = "x" }\n')


@pytest.mark.parametrize(
    "spoilt", [ROWS.replace("result", "other"), ROWS.replace(";N;", ";;"), ROWS.replace("12,5", "?")]
)
def test_loans_are_scored_without_a_look_at_what_became_of_them(book_of, spoilt):
    chosen = FILE.replace("nulls", 'where = [{ column = "result", one_of = ["S", "N"] }]\nnulls')
    with pytest.raises(TablesRefused):
        book_of(FILE, spoilt)
    for file in (FILE, chosen):
        book = book_of(file, spoilt, outcomes=False)
        assert book.outcomes is None
        assert book.tables.loans.height == 3


@pytest.mark.parametrize(("words", "en", "zh"), [('en = "lost"', "lost", "lost"), ('zh = "损失"', "损失", "损失")])
def test_words_of_a_card_in_one_language_stand_in_for_the_other_and_are_listed(book_of, words, en, zh):
    book = book_of(FILE + f"[cards.application]\noutcome = {{ {words} }}\n")
    assert (card_of(book, "application").outcome.en, card_of(book, "application").outcome.zh) == (en, zh)
    assert book.unsaid[0].startswith("card 'application', outcome: ")
    assert "90 or more" in card_of(book_of(FILE + "[cards.application]\noutcome = {}\n"), "application").outcome.en


@pytest.mark.parametrize("words", ["{}", '{ en = "pay" }', '{ zh = "工资" }'])
@pytest.mark.parametrize("where", ["label", "reason", "missing"])
def test_words_of_a_feature_may_be_left_out_in_any_way(book_of, words, where):
    book = book_of(FILE + INCOME + f"{where} = {words}\n")
    assert book.features[0].label.zh
    assert book.unsaid


def test_a_label_in_one_language_stands_in_for_the_other(book_of):
    label = book_of(FILE + INCOME + 'label = { en = "pay" }\n').features[0].label
    assert (label.en, label.zh) == ("pay", "pay")


def test_the_meaning_of_a_code_is_among_the_reasons_why_a_number_is_missing(book_of):
    told = INCOME + 'label = { en = "pay", zh = "工资" }\ncodes = { "-9" = { en = "none", zh = "无" } }\n'
    missing = book_of(FILE + told).features[0].missing
    assert (missing.en, missing.zh) == ("pay: none / not known", "工资：无 / 未知")
