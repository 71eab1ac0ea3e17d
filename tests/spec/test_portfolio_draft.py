"""A first portfolio file is guessed from a lender's files: it can be read at once, and tells no borrower's value."""

from __future__ import annotations

import csv
import gzip
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.errors import ConfigurationRefused, DataRefused, UsageError
from features.portfolios import described
from features.portfolios.draft import draft
from features.portfolios.draft_columns import looked_at
from features.portfolios.draft_features import codes_in
from features.portfolios.draft_words import meaning, words
from features.portfolios.portfolio_file import read_file

ROWS = 60
CANARY = "CANARY"


def written(path: Path, columns: dict[str, list[Any]], separator: str = ",") -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, delimiter=separator)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


def cycle(*values: Any, rows: int = ROWS) -> list[Any]:
    return [values[row % len(values)] for row in range(rows)]


def mixed(*values: Any, rows: int = ROWS) -> list[Any]:
    """Return values of which no other column that repeats can tell where each stands."""
    return [values[(row + row // len(values)) % len(values)] for row in range(rows)]


def numbered(letters: str, rows: int = ROWS) -> list[str]:
    return [f"{letters}{row:03d}" for row in range(rows)]


def drafted(*paths: Path) -> dict[str, Any]:
    """Return a draft as data, after it was read as a portfolio file is."""
    text = draft(paths)
    place = paths[0].parent / "portfolio.toml"
    place.write_text(text, encoding="utf-8")
    read_file(place)
    return tomllib.loads(text)


def opened(*paths: Path) -> Any:
    drafted(*paths)
    return described.book(paths[0].parent / "portfolio.toml")


def one_column(folder: Path, name: str, values: list[Any]) -> dict[str, Any]:
    return drafted(written(folder / "credits.csv", {"contract_no": numbered("C", len(values)), name: values}))


CREDITS: dict[str, list[Any]] = {
    "contract_no": numbered("C"),
    "customer_id": [f"K{row // 2:03d}" for row in range(ROWS)],
    "application_date": cycle("01.03.2024", "15.04.2024", "28.02.2024"),
    "loan_amount": [1000 + row * 12.5 for row in range(ROWS)],
    "term": cycle("12 months", "36 months"),
    "monthly_salary": [2000 + row * 7 for row in range(ROWS)],
    "gender": cycle("f", "m"),
    "past_due_count": cycle(0, 1, 2, -9),
    "home": cycle("own", "rent", "other"),
    "has_car": cycle("yes", "no"),
    "member_since": cycle("31.01.2015", "20.12.2019"),
    "remark": [f"{CANARY}-{row}" for row in range(ROWS)],
    "total_paid": [row * 3.5 for row in range(ROWS)],
    "outcome": mixed("good", "bad", "good"),
}


def test_a_file_of_another_shape_becomes_a_book_that_opens_without_edits(tmp_path: Path):
    book = opened(written(tmp_path / "credits.csv", CREDITS, ";"))
    loans = book.tables.loans
    assert loans.get_column("loan_id").to_list() == CREDITS["contract_no"]
    assert loans.get_column("borrower_id").to_list() == CREDITS["customer_id"]
    assert loans.get_column("amount").head(2).to_list() == [100_000, 101_250]
    assert loans.get_column("term_months").head(2).to_list() == [12, 36]
    assert loans.get_column("applied_on").item(0) == date(2024, 3, 1)
    assert book.observe_each
    assert book.outcomes.get_column("bad").sum() == 20
    names = [feature.name for feature in book.features]
    assert names == ["monthly_salary", "past_due_count", "past_due_count_is_minus_9", "home", "has_car", "member_since"]
    values = book.catalog.values(book.history()).frame().sort("loan_id")
    assert values.get_column("monthly_salary").item(0) == 200_000
    assert values.get_column("member_since").item(0) == pytest.approx(109, abs=0.1)


def test_each_column_of_the_loans_file_stands_in_one_place(tmp_path: Path):
    told = drafted(written(tmp_path / "credits.csv", CREDITS))
    assert told["protected"] == ["gender"]
    assert told["forbidden"] == ["total_paid"]
    assert told["unused"] == ["remark"]
    assert told["outcome"]["column"] == "outcome"
    assert told["features"]["monthly_salary"] == {
        "group": "ability",
        "unit": "money",
        "per_unit": 100,
        "label": {"en": "monthly salary"},
    }
    assert told["features"]["home"]["levels"] == ["other", "own", "rent"]
    assert told["features"]["has_car"]["yes"] == ["yes"]
    assert told["features"]["past_due_count"]["group"] == "willingness"


def test_no_borrowers_value_is_written_but_the_texts_of_a_few_levels(tmp_path: Path):
    names = [f"{CANARY} {row}" for row in range(ROWS)]
    few = {name: cycle(*names[:5], rows=6) for name in ("nickname", "branch")}
    text = draft(
        [
            written(
                tmp_path / "credits.csv",
                {**CREDITS, "name": names, "phone": [13800000000 + row for row in range(ROWS)]},
            )
        ]
    )
    assert CANARY not in text
    assert "13800" not in text
    assert CANARY not in draft([written(tmp_path / "few.csv", {"contract_no": numbered("C", 6), **few})])


def test_a_draft_is_the_same_each_time(tmp_path: Path):
    path = written(tmp_path / "credits.csv", CREDITS)
    assert draft([path]) == draft([path])


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found_though_others_stand_in_texts(tmp_path: Path, separator: str):
    path = written(tmp_path / "credits.txt", {**CREDITS, "home": cycle("a, b; c", "d | e")}, separator)
    assert looked_at(path).separator == separator
    assert drafted(path)["features"]["home"]["levels"] == ["a, b; c", "d | e"]


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("since", ["2024-03-01", "2024-12-31"], (None, None)),
        ("since", ["2024-03-01 10:15:00", "2024-12-31 00:00:00"], (None, None)),
        ("since", ["2024/3/1", "2024/12/31"], ("%Y/%m/%d", None)),
        ("since", ["20240301", "20241231"], ("%Y%m%d", None)),
        ("date", ["930705", "981231"], ("%y%m%d", None)),
        ("issued", ["931107 00:00:00", "940119 00:00:00"], ("%y%m%d %H:%M:%S", None)),
        ("since", ["01.03.2024", "31.12.2024"], ("%d.%m.%Y", None)),
        ("since", ["03/01/2024", "12/31/2024"], ("%m/%d/%Y", None)),
        ("since", ["01/03/2024", "31/12/2024"], ("%d/%m/%Y", None)),
        ("since", ["01/03/2024", "12/11/2024"], ("%m/%d/%Y", "%d/%m/%Y")),
        ("since", ["Dec-2011", "Jan-2012"], ("%b-%Y", None)),
        ("开户日期", ["2024年3月1日", "2024年12月31日"], ("%Y年%m月%d日", None)),
        ("month", ["202403", "202412"], ("%Y%m", None)),
    ],
)
def test_how_days_are_written_is_found(
    tmp_path: Path, name: str, values: list[str], expected: tuple[str | None, str | None]
):
    column = looked_at(written(tmp_path / "days.csv", {name: values, "x": ["a", "b"]})).columns[0]
    assert column.kind == "day"
    assert (column.format, column.or_format) == expected


def test_six_figures_are_no_day_unless_the_name_says_so(tmp_path: Path):
    assert looked_at(written(tmp_path / "a.csv", {"income": ["930705", "981231"]})).columns[0].kind == "number"


def test_a_day_that_may_begin_with_the_month_is_marked(tmp_path: Path):
    text = draft([written(tmp_path / "credits.csv", {**CREDITS, "member_since": cycle("01/02/2015", "03/04/2016")})])
    assert "# check: the days fit %d/%m/%Y as well as %m/%d/%Y" in text


def test_texts_for_no_value_are_found(tmp_path: Path):
    told = one_column(tmp_path, "salary", ["?", "-", *range(100, 158)])
    assert {"?", "-"} <= set(told["tables"]["loans"]["nulls"])
    assert told["features"]["salary"]["unit"] == "money"


@pytest.mark.parametrize(
    ("name", "values", "bad", "good"),
    [
        ("default", [0, 1], ["1"], ["0"]),
        ("creditability", [0, 1], ["0"], ["1"]),
        ("creditability", ["good", "bad"], ["bad"], ["good"]),
        ("loan_status", ["Charged Off", "Fully Paid", "Current"], ["Charged Off"], ["Fully Paid"]),
        ("是否违约", ["是", "否"], ["是"], ["否"]),
        ("好坏", ["好", "坏"], ["坏"], ["好"]),
        ("target", [1, 2], ["2"], ["1"]),
        ("status", ["not paid", "paid"], ["not paid"], ["paid"]),
        ("fully_repaid_label", ["Y", "N"], ["N"], ["Y"]),
    ],
)
def test_the_outcome_is_found_by_its_name_and_what_its_texts_mean(
    tmp_path: Path, name: str, values: list[Any], bad: list[str], good: list[str]
):
    told = one_column(tmp_path, name, cycle(*values))
    assert (told["outcome"]["column"], told["outcome"]["bad"], told["outcome"]["good"]) == (name, bad, good)


def test_an_outcome_whose_texts_say_nothing_is_left_to_the_person(tmp_path: Path):
    told = one_column(tmp_path, "status", cycle("A", "B", "C", "D"))
    assert "outcome" not in told
    assert told["forbidden"] == ["status"]
    assert "# check: is this the outcome" in draft([tmp_path / "credits.csv"])


@pytest.mark.parametrize("name", ["status_of_existing_checking_account", "previous_default", "历史违约"])
def test_what_was_known_before_is_no_outcome(tmp_path: Path, name: str):
    told = one_column(tmp_path, name, cycle("yes", "no"))
    assert "outcome" not in told
    assert told["features"]


def test_loans_without_an_outcome_are_left_out(tmp_path: Path):
    book = opened(written(tmp_path / "credits.csv", {**CREDITS, "outcome": cycle("good", "bad", "", "good")}))
    assert book.tables.loans.height == 45


def test_a_second_outcome_and_days_after_the_application_are_forbidden(tmp_path: Path):
    later = cycle("01.06.2025", "15.07.2025")
    told = drafted(written(tmp_path / "credits.csv", {**CREDITS, "bad_flag": cycle(0, 1), "closing_day": later}))
    assert {"closing_day", "total_paid"} < set(told["forbidden"])
    assert {told["outcome"]["column"], *told["forbidden"]} >= {"outcome", "bad_flag"}


@pytest.mark.parametrize(
    "name",
    [
        "total_pymnt",
        "recoveries",
        "debt_settlement_flag",
        "last_payment_amount",
        "charge_off_day",
        "累计还款额",
        "核销金额",
    ],
)
def test_what_comes_after_the_decision_is_forbidden(tmp_path: Path, name: str):
    assert one_column(tmp_path, name, [row * 10 for row in range(ROWS)])["forbidden"] == [name]


@pytest.mark.parametrize("name", ["age", "sex", "personal_status_and_sex", "foreign_worker", "date_of_birth", "民族"])
def test_what_looks_protected_is_no_feature(tmp_path: Path, name: str):
    told = one_column(tmp_path, name, cycle(31, 42, 53))
    assert told["protected"] == [name]
    assert "features" not in told


def test_protected_columns_go_to_the_report_on_fairness(tmp_path: Path):
    columns = {**CREDITS, "customer_id": numbered("K"), "age": cycle(31, 42, 53)}
    book = opened(written(tmp_path / "credits.csv", columns))
    assert book.protected.get_column("sex").to_list() == CREDITS["gender"]
    assert book.protected.get_column("age_years").to_list() == columns["age"]


@pytest.mark.parametrize(
    ("values", "codes"),
    [
        ([*cycle(-9, -8, 0, 5, 12)], [-9, -8]),
        ([*cycle(0, 1, 2, 96, 98)], [96, 98]),
        ([*cycle(-9, 0, 3, 9999)], [-9, 9999]),
        ([row + 40 for row in range(60)] * 3, []),
        ([*cycle(-300, -9, -1, 500)], []),
        ([*cycle(0, 1, 2, 3)], []),
    ],
)
def test_numbers_at_the_edge_that_repeat_are_taken_for_codes(tmp_path: Path, values: list[int], codes: list[int]):
    assert codes_in(looked_at(written(tmp_path / "a.csv", {"calls": values, "x": values})).columns[0]) == codes


def test_chinese_names_work_and_features_have_names_in_small_letters(tmp_path: Path):
    columns = {
        "借据号": numbered("J"),
        "放款日期": cycle("2024/3/1", "2024/11/20"),
        "贷款金额": [1000 + row for row in range(ROWS)],
        "月收入": [3000 + row for row in range(ROWS)],
        "近6个月逾期次数": cycle(0, 1, 2),
        "是否有房": cycle("是", "否"),
        "是否违约": mixed("否", "否", "是"),
        "{括号}": cycle(1, 2, 3, 4),
    }
    book = opened(written(tmp_path / "借据.csv", columns))
    assert [feature.name for feature in book.features] == ["column_4", "column_5", "column_6", "column_8"]
    assert [feature.label.zh for feature in book.features] == ["月收入", "近6个月逾期次数", "是否有房", "括号"]
    assert [feature.group.value for feature in book.features[:2]] == ["ability", "willingness"]
    assert book.outcomes.get_column("bad").sum() == 20


def test_files_about_the_loans_become_tables(tmp_path: Path):
    lent = written(tmp_path / "credits.csv", {**CREDITS, "customer_id": numbered("K")}, ";")
    moved = {
        "trans_id": numbered("T", 120),
        "customer_id": numbered("K") * 2,
        "date": cycle("930705", "981231", rows=120),
        "type": cycle("credit", "withdrawal", rows=120),
        "amount": [10.5 + row for row in range(120)],
        "balance": [500 - row for row in range(120)],
        "k_symbol": cycle("household", "", "sanction interest if negative balance", "gift", rows=120),
    }
    paid = {
        "contract_no": numbered("C") * 2,
        "value_date": cycle("2024-05-01", rows=120),
        "amount": cycle(99.9, rows=120),
    }
    due = {
        "contract_no": sorted(numbered("C") * 2),
        "period": cycle(1, 2, rows=120),
        "due_date": cycle("01/06/2024", "31/07/2024", rows=120),
        "principal": cycle(500, rows=120),
        "interest": cycle(12.345, rows=120),
    }
    book = opened(
        lent,
        written(tmp_path / "trans.asc", moved, "|"),
        written(tmp_path / "payments.csv", paid),
        written(tmp_path / "schedule.csv", due),
        written(tmp_path / "districts.csv", {"district": cycle("north", "south"), "people": cycle(10, 20)}),
    )
    flows = book.tables.transactions
    assert flows.get_column("amount").head(2).to_list() == [1050, -1150]
    assert flows.get_column("kind").head(4).to_list() == ["household", "other", "sanction_interest", "other"]
    assert book.tables.payments.get_column("amount").unique().to_list() == [9990]
    assert book.tables.instalments.get_column("interest").unique().to_list() == [1234]
    assert book.tables.instalments.get_column("due_on").max() == date(2024, 7, 31)
    assert 'not used: "districts.csv": no column in common with the loans' in draft(sorted(tmp_path.glob("*.*s*")))


def test_a_file_that_looks_like_a_table_says_which_column_it_lacks(tmp_path: Path):
    lent = written(tmp_path / "credits.csv", CREDITS)
    text = draft([lent, written(tmp_path / "payments.csv", {"contract_no": numbered("C"), "note": numbered("N")})])
    assert 'not used: "payments.csv": it looks like table payments, but no column of it is paid_on or amount' in text


def test_a_folder_of_our_own_tables_is_taken_as_it_is(tmp_path: Path):
    from features.portfolios.taiwan import book as taiwan

    whole = taiwan()
    few = whole.tables.of_loans(whole.tables.loans.get_column("loan_id").head(80))
    assert whole.outcomes is not None
    assert whole.protected is not None
    ids = few.loans.get_column("loan_id").implode()
    beside = {
        "outcomes": whole.outcomes.filter(pl.col("loan_id").is_in(ids)),
        "protected": whole.protected.filter(pl.col("borrower_id").is_in(ids)),
    }
    for number, (name, frame) in enumerate([*few.items(), *beside.items()]):
        if number % 2:
            frame.write_parquet(tmp_path / f"{name}.parquet")
        else:
            frame.write_csv(tmp_path / f"{name}.csv")
    (tmp_path / "notes.md").write_text("no table")
    text = draft([tmp_path])
    assert "columns]" not in text
    (tmp_path / "portfolio.toml").write_text(text)
    again = described.book(tmp_path / "portfolio.toml")
    for name, frame in few.items():
        assert getattr(again.tables, name).equals(frame), name
    assert again.outcomes is not None
    assert again.outcomes.equals(beside["outcomes"])
    assert again.protected is not None
    assert again.protected.equals(beside["protected"])


def test_a_first_line_without_names_is_refused_and_not_shown(tmp_path: Path):
    path = tmp_path / "credits.csv"
    path.write_text(f"{CANARY},2024-03-01,500,B1\nC2,2024-03-02,600,B2\n")
    with pytest.raises(DataRefused) as caught:
        draft([path])
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("gb18030", ["贷款编号", "申请日期", "金额", "月收入"]),
        ("cp1252", ["número de crédito", "fecha", "año", "situación"]),
        ("utf-16", ["Vertragsnummer", "Straße", "größe", "übrig"]),
    ],
)
def test_the_encoding_of_a_file_is_found_and_written(tmp_path: Path, encoding: str, names: list[str]):
    path = tmp_path / "credits.csv"
    texts = ["是", "否"] if encoding == "gb18030" else ["sí", "no"]
    rows = [f"C{row:03d},x{row % 3},{1000 + row},{texts[row % 2]}" for row in range(ROWS)]
    path.write_bytes("\n".join([",".join(names), *rows]).encode(encoding))
    told = drafted(path)
    assert told["tables"]["loans"]["encoding"] == encoding
    assert told["tables"]["loans"]["columns"]["loan_id"] == names[0]
    assert described.book(tmp_path / "portfolio.toml").tables.loans.height == ROWS


def test_bytes_that_are_no_text_are_refused(tmp_path: Path):
    path = tmp_path / "credits.csv"
    path.write_bytes(b"contract_no,x\nC1,\x81 \x8d\n")
    with pytest.raises(DataRefused, match="UTF-8"):
        draft([path])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1,5", "2,25"], {"decimal": ","}),
        (["1.234,5", "0,25"], {"decimal": ",", "thousands": "."}),
        (["1 234,5", "0,25"], {"decimal": ",", "thousands": " "}),
        (["1,234.5", "2,345"], {"thousands": ","}),
        (["1,234", "2,345"], {"thousands": ","}),
        (["1'234.50", "2.5"], {"thousands": "'"}),
        (["1.5", "2.25"], {}),
        (["a, b", "c"], {}),
        (["1.5.2", "1,5"], {}),
    ],
)
def test_the_signs_in_numbers_are_found(tmp_path: Path, values: list[str], expected: dict[str, str]):
    told = drafted(
        written(tmp_path / "a.csv", {"contract_no": numbered("C"), "x": cycle(*values), "y": cycle(1, 2)}, ";")
    )
    assert {name: told["tables"]["loans"].get(name) for name in expected} == expected
    assert set(told["tables"]["loans"]) & {"decimal", "thousands"} == set(expected)


SPANISH: dict[str, list[Any]] = {
    "NUM_SOL": numbered("SOL-10"),
    "CVE_CTE": [f"C{2000 + row // 2}" for row in range(ROWS)],
    "FEC_SOL": [f"{1 + row % 28:02d}/{1 + row // 28:02d}/2024" for row in range(ROWS)],
    "MTO_SOL": [f"{1000 + row},25" for row in range(ROWS)],
    "PLZ_MES": cycle(6, 12, 24),
    "ING_MEN": [f"{2000 + row},5" if row % 7 else "-9" for row in range(ROWS)],
    "SEXO": cycle("H", "M"),
    "EDAD": cycle(31, 42, 53, 64, 25),
    "EDO_CIV": cycle(1, 2, 3, 4),
    "NACION": cycle("MX", "GT", "MX", "MX"),
    "FEC_ALTA": cycle("05/03/2018", "21/11/2020"),
    "IMPAGO": mixed("N", "N", "S"),
    "MTO_REC": mixed("", "", "7,5"),
}


def test_a_file_with_spanish_names_becomes_a_book_that_opens_without_edits(tmp_path: Path):
    told = drafted(written(tmp_path / "cartera.csv", SPANISH, ";"))
    assert told["tables"]["loans"]["columns"] == {
        "loan_id": "NUM_SOL",
        "borrower_id": "CVE_CTE",
        "product": {"value": "instalment"},
        "currency": {"value": "CNY"},
        "applied_on": "FEC_SOL",
        "amount": {"column": "MTO_SOL", "per_unit": 100},
        "term_months": "PLZ_MES",
    }
    assert told["observe"] == {"each": "applied_on"}
    assert told["protected"] == ["SEXO", "EDAD", "EDO_CIV", "NACION"]
    assert told["forbidden"] == ["MTO_REC"]
    assert (told["outcome"]["column"], told["outcome"]["bad"]) == ("IMPAGO", ["S"])
    assert list(told["features"]) == ["ing_men", "fec_alta"]
    assert list(told["tables"]) == ["loans"]  # days of another form need no table of facts
    book = described.book(tmp_path / "portfolio.toml")
    assert book.tables.loans.get_column("amount").item(0) == 100_025
    assert book.catalog.values(book.history()).frame().get_column("ing_men").null_count() == 9


@pytest.mark.parametrize(
    "names",
    [
        {
            "Vertragsnummer": "loan_id",
            "Kundennr": "borrower_id",
            "Antragsdatum": "applied_on",
            "Laufzeit": "term_months",
        },
        {"num_dossier": "loan_id", "client": "borrower_id", "date_demande": "applied_on", "durée": "term_months"},
        {"num_contrato": "loan_id", "cliente": "borrower_id", "data_proposta": "applied_on", "prazo": "term_months"},
        {"hetonghao": "loan_id", "kehuhao": "borrower_id", "shenqing_riqi": "applied_on", "qixian": "term_months"},
        {"xk": "loan_id", "xb": "borrower_id", "xd": "applied_on", "plazo": "term_months"},
    ],
)
def test_keys_and_days_are_found_in_other_languages_or_by_what_stands_in_them(tmp_path: Path, names: dict[str, str]):
    values = [
        SPANISH["NUM_SOL"],
        SPANISH["CVE_CTE"],
        sorted(SPANISH["FEC_SOL"], key=lambda day: day[::-1]),
        cycle(6, 12),
    ]
    days = sorted(f"2024-0{1 + row % 9}-1{row % 7}" for row in range(ROWS))
    columns = {**dict(zip(names, [*values[:2], days, values[3]], strict=True)), "x": cycle(1.5, 2.5)}
    mapped = drafted(written(tmp_path / "a.csv", columns))["tables"]["loans"]["columns"]
    assert {mapped[target]: target for target in names.values()} == names


@pytest.mark.parametrize(
    "name",
    [
        *[
            "sexo",
            "Geschlecht",
            "sexe",
            "xingbie",
            "性别",
            "EDAD",
            "idade",
            "Alter",
            "nianling",
            "edo_civ",
            "estado_civil",
        ],
        *["Familienstand", "situation_familiale", "hunyin", "Staatsangehörigkeit", "Nationalité", "nacionalidade"],
        *[
            "FEC_NAC",
            "fecha_nacimiento",
            "date_naissance",
            "Geburtsdatum",
            "chusheng_riqi",
            "religião",
            "minzu",
            "raça",
        ],
    ],
)
def test_protected_names_are_known_in_several_languages(tmp_path: Path, name: str):
    assert one_column(tmp_path, name, cycle(31, 42, 53))["protected"] == [name]


@pytest.mark.parametrize(
    "values",
    [
        *[("H", "M"), ("男", "女"), ("weiblich", "männlich"), ("F", "M"), ("Homme", "Femme")],
        *[("soltero", "casado", "viuda"), ("未婚", "已婚"), ("ledig", "verheiratet", "unbekannt")],
        *[tuple(f"{year}-03-0{1 + year % 9}" for year in range(1950, 1996))],
    ],
)
def test_protected_attributes_are_known_by_what_stands_in_a_column(tmp_path: Path, values: tuple[str, ...]):
    columns = {"contract_no": numbered("C"), "issued": cycle("2024-01-05", "2024-02-06"), "q7": cycle(*values)}
    assert drafted(written(tmp_path / "a.csv", columns))["protected"] == ["q7"]


@pytest.mark.parametrize("values", [("F", "G"), ("M1", "M2"), ("2010-01-01", "2015-06-30"), ("married", "yes", "no")])
def test_other_columns_are_not_taken_for_protected(tmp_path: Path, values: tuple[str, ...]):
    columns = {"contract_no": numbered("C"), "issued": cycle("2024-01-05", "2024-02-06"), "q7": cycle(*values)}
    assert "protected" not in drafted(written(tmp_path / "a.csv", columns))


def test_columns_that_know_the_outcome_are_forbidden(tmp_path: Path):
    bad = [outcome == "bad" for outcome in CREDITS["outcome"]]
    leaks = {
        "x_filled": [row if lost else "" for row, lost in enumerate(bad)],
        "x_beyond": [90 + row if lost else row % 30 for row, lost in enumerate(bad)],
        "x_state": ["D" if lost else "ABC"[row % 3] for row, lost in enumerate(bad)],
    }
    assert set(leaks) < set(drafted(written(tmp_path / "a.csv", {**CREDITS, **leaks}))["forbidden"])


def test_files_are_named_from_where_the_portfolio_file_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "my_book"
    (folder / "data").mkdir(parents=True)
    written(folder / "credits.csv", CREDITS)
    paid = {"contract_no": numbered("C"), "value_date": cycle("2024-05-01"), "amount": cycle(9)}
    written(folder / "data" / "payments.csv", paid)
    monkeypatch.chdir(tmp_path)
    files = [Path("my_book/credits.csv"), Path("my_book/data/payments.csv")]
    named = {name: table["file"] for name, table in tomllib.loads(draft(files))["tables"].items()}
    assert named == {"loans": "credits.csv", "payments": "data/payments.csv"}
    elsewhere = tomllib.loads(draft(files, tmp_path / "files"))["tables"]["loans"]["file"]
    assert elsewhere == "../my_book/credits.csv"


def test_no_file_is_refused(tmp_path: Path):
    with pytest.raises(UsageError):
        draft([])
    with pytest.raises(DataRefused):
        draft([tmp_path / "absent.csv"])


def test_a_compressed_file_is_read(tmp_path: Path):
    plain = written(tmp_path / "credits.csv", CREDITS, "|")
    packed = tmp_path / "credits.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert drafted(packed)["tables"]["loans"]["separator"] == "|"


def test_words_and_meanings():
    assert words("SeriousDlqin2yrs") == "serious dlqin2yrs"
    assert words("月收入（元）") == "月收入 元"
    assert [meaning(text) for text in ("Charged Off", "no default", "已结清", "running", "A")] == [
        "bad",
        "good",
        "good",
        "indeterminate",
        None,
    ]


BAR = "|"
CELLS = st.sampled_from(
    [
        *"0|1|2|-9|99|3.75|yes|no|good|bad|2024-02-29|1/2/2023|31.1.23|Jan-12|007|?|| |{e}|nan|1e400|五".split(BAR),
        *["36 months", "x" * 120, 'a "b"', "c\\d", "e|f", "g\nh"],
    ]
)
HEADS = st.sampled_from(
    [
        *"id|contract_no|customer|term|issue_d|status|default|filter|columns|__x__|case|a b|{1}|1st|class".split(BAR),
        *"Sex|birth|#h|x.y|paid|年|income|util|limit".split(BAR),
        *['x"y', "back\\slash", "t\tb", "\x7f", "a\nb"],
    ]
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_draft_of_any_file_can_be_read_and_opened(tmp_path: Path, data: st.DataObject):
    rows = data.draw(st.integers(1, 12))
    columns: dict[str, list[Any]] = {"key": numbered("C", rows)}
    for head in data.draw(st.lists(HEADS, max_size=6, unique=True)):
        few = data.draw(st.lists(CELLS, min_size=1, max_size=3))
        columns[head] = data.draw(st.lists(st.sampled_from(few), min_size=rows, max_size=rows))
    book = opened(written(tmp_path / "credits.csv", columns, data.draw(st.sampled_from(",;\t|"))))
    assert book.tables.loans.height <= rows
    assert len(book.catalog) >= len(book.features)


def test_rows_written_twice_do_not_hide_which_column_names_the_loan(tmp_path: Path):
    twice = {
        name: [*values, *values[:3]]
        for name, values in {
            "借据号": numbered("JJ"),
            "客户号": numbered("C"),
            "贷款金额": [1000 + row for row in range(ROWS)],
        }.items()
    }
    paid = {"流水号": numbered("LS"), "借据号": numbered("JJ"), "还款日期": cycle("2024-01-05"), "还款金额": cycle(100)}
    files = [written(tmp_path / "借据表.csv", twice), written(tmp_path / "还款流水.csv", paid)]
    told = drafted(*files)
    assert told["tables"]["loans"]["distinct"] is True
    assert told["tables"]["loans"]["columns"]["loan_id"] == "借据号"
    assert set(told["tables"]) == {"loans", "payments"}
    assert "3 of 63 rows repeat another in every column, and count once" in draft(files)
    assert described.book(tmp_path / "portfolio.toml").tables.loans.height == ROWS


def test_a_loans_number_that_repeats_in_rows_that_differ_is_still_the_loans_number(tmp_path: Path):
    loans = {"借据号": [*numbered("JJ"), "JJ001"], "贷款金额": [1000 + row for row in range(ROWS + 1)]}
    text = draft([written(tmp_path / "借据表.csv", loans)])
    assert 'loan_id = "借据号"  # check: it names 60 loans in 61 rows that differ: one row for each is expected' in text


LENT: dict[str, list[Any]] = {
    "借据号": numbered("JJ"),
    "客户号": [f"C{row // 2:03d}" for row in range(ROWS)],
    "放款日期": cycle("2023/01/05", "2023/02/06"),
    "贷款金额": [1000 + row for row in range(ROWS)],
    "产品": cycle("现金贷", "车主贷", "分期"),
}


def test_one_column_that_is_written_in_two_ways_does_not_cost_the_table(tmp_path: Path):
    paid = {
        "流水号": numbered("LS"),
        "借据号": numbered("JJ"),
        "还款日期": cycle("20230115", "2023/01/16", "20230217"),
        "还款金额": [*[""] * 2, *[100 + row for row in range(ROWS - 3)], -100],
        "还款渠道": cycle("主动还款", "代扣", "第三方代偿", ""),
        "交易状态": [*["正常"] * (ROWS - 4), "失败", "失败", "冲正", "冲正"],
        "原流水号": [*[""] * (ROWS - 2), "LS001", "LS002"],
    }
    files = [written(tmp_path / "借据表.csv", LENT), written(tmp_path / "还款流水.csv", paid)]
    told = drafted(*files)["tables"]["payments"]
    assert told["format"] == ["%Y/%m/%d", "%Y%m%d"]
    assert told["reversals"] == {"column": "交易状态", "values": ["冲正"], "of": "原流水号"}
    assert told["where"] == [{"column": "还款金额", "none_of": [""]}, {"column": "交易状态", "none_of": ["失败"]}]
    assert told["columns"]["payer"] == {
        "column": "还款渠道", "values": {"第三方代偿": "third_party"}, "otherwise": "borrower"
    }  # fmt: skip
    text = draft(files)
    assert "# check: 2 rows have no amount and are left out" in text
    assert "# check: rows whose 交易状态 is one of 失败 are left out: was nothing paid?" in text
    described.book(tmp_path / "portfolio.toml")


@pytest.mark.parametrize(
    "texts",
    [
        ["本人接听", "承诺还款", "第三人接听", "已发送", "无人接听", "关机/停机", "拒绝还款", "发送失败"],
        ["Spoke to customer", "PTP given", "Left with relative", "SMS sent", "No answer", "Wrong number", "Hung up",
         "Undelivered"],
    ],
)  # fmt: skip
def test_results_of_contacts_are_understood(tmp_path: Path, texts: list[str]):
    called = {"借据号": numbered("JJ"), "催收时间": cycle("2023-03-01 10:00:00"), "催收方式": cycle("电话", "短信"),
              "催收结果": cycle(*texts)}  # fmt: skip
    told = drafted(written(tmp_path / "借据表.csv", LENT), written(tmp_path / "催收记录.csv", called))
    values = told["tables"]["contacts"]["columns"]["result"]["values"]
    assert [values[text] for text in texts] == [
        "borrower_reached", "borrower_reached", "other_person", "delivered", "no_answer", "unreachable", "refused",
        "unreachable",
    ]  # fmt: skip


def test_texts_that_nobody_understands_are_listed_to_be_filled_in(tmp_path: Path):
    called = {"借据号": numbered("JJ"), "催收时间": cycle("2023-03-01"), "催收方式": cycle("电话"),
              "催收结果": cycle("本人", "X7", "Y8")}  # fmt: skip
    files = [written(tmp_path / "借据表.csv", LENT), written(tmp_path / "催收记录.csv", called)]
    text = draft(files)
    assert 'values = { X7 = "", Y8 = "", "本人" = "borrower_reached" }' in text
    assert "# check: fill in what the others stand for: borrower_reached, other_person" in text
    (tmp_path / "portfolio.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationRefused, match="result: say what 'X7', 'Y8' stand for: text, one of borrower_re"):
        read_file(tmp_path / "portfolio.toml")


def test_the_customers_file_becomes_means_facts_and_protected_attributes(tmp_path: Path):
    owners = {
        "客户号": numbered("C", 30),
        "性别": cycle("男", "女", rows=30),
        "月收入": [*cycle(5000.5, 6000, 7100, rows=26), *["-9"] * 4],
        "职业": cycle("职员", "司机", rows=30),
        "入职日期": [*cycle("20150601", "20180301", "20190401", rows=27), "-9", "-9", ""],
    }
    told = drafted(written(tmp_path / "借据表.csv", LENT), written(tmp_path / "客户信息.csv", owners))
    assert set(told["tables"]) == {"loans", "borrowers", "facts", "protected"}
    assert told["tables"]["borrowers"]["columns"] == {
        "borrower_id": "客户号",
        "monthly_income": {"column": "月收入", "per_unit": 100},
    }
    assert told["tables"]["facts"]["columns"] == {"borrower_id": "客户号"}
    assert told["tables"]["facts"]["format"] == "%Y%m%d"
    assert told["tables"]["protected"]["columns"] == {"borrower_id": "客户号", "sex": "性别"}
    assert told["protected"] == ["性别"]
    assert [feature.get("column") or feature["months_since"] for feature in told["features"].values()] == [
        "产品", "职业", "入职日期"
    ]  # fmt: skip
    book = described.book(tmp_path / "portfolio.toml")
    values = book.catalog.values(book.history(date(2024, 1, 1))).frame().sort("loan_id")
    assert values.get_column("column_5_2").null_count() == 6
    assert book.tables.borrowers.get_column("monthly_income").null_count() == 4


def test_numbers_for_no_income_that_no_feature_reads_are_codes_of_their_column(tmp_path: Path):
    owners = {"客户号": numbered("C", 30), "月收入": [*cycle(5000.5, 6000, 7100, rows=26), *["-9"] * 4]}
    told = drafted(written(tmp_path / "借据表.csv", LENT), written(tmp_path / "客户信息.csv", owners))
    assert told["codes"] == {"月收入": {"unknown": [-9]}}
    book = described.book(tmp_path / "portfolio.toml")
    assert book.tables.borrowers.get_column("monthly_income").null_count() == 4
