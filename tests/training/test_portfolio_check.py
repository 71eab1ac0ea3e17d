"""Before a card is fitted, a person is told which columns may know the outcome, and the honest ones are left alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from features.errors import ConfigurationRefused, DataRefused, TablesRefused
from training.checking.column_roles import Role
from training.checking.feature_quality import edge_codes
from training.checking.portfolio_check import check
from training.checking.portfolio_findings import Report
from training.checking.telling_names import of_a_protected_attribute, of_what_comes_after

DATA = Path(__file__).parents[3] / "shared" / "data"
ROWS = 600
BAD = np.arange(ROWS) % 5 == 0
LENT = np.random.default_rng(1).integers(10, 400, ROWS) * 100
APPLIED = [date(2024, 1, 1) + timedelta(days=int(day)) for day in np.random.default_rng(2).integers(0, 300, ROWS)]
MADE_UP = "CANARY-7731"

FILE = """\
name = "book"
card = "application"
observe.each = "applied_on"
{lists}

[tables.loans]
file = "loans.csv"

[tables.loans.columns]
loan_id = "contract"
borrower_id = "owner"
product = {{ value = "instalment" }}
currency = {{ value = "EUR" }}
amount = {{ column = "lent", per_unit = 100 }}

[outcome]
column = "fate"
bad = ["lost"]
good = ["kept"]
indeterminate = ["open"]
after_days = 365
{more}
"""

FEATURE = """
[features.{name}]
group = "ability"
label = {{ en = "{name}", zh = "特征" }}
column = "{column}"
{rest}
"""


def book(folder: Path, *, lists: str = "", more: str = "", **columns: Sequence[Any]) -> Path:
    """Write a book of 600 loans of which a fifth went bad, with more columns in the loans' file."""
    given: Mapping[str, Sequence[Any]] = {
        "contract": [f"C{row:04}" for row in range(ROWS)],
        "owner": [f"P{row:04}" for row in range(ROWS)],
        "applied_on": APPLIED,
        "lent": LENT,
        "fate": np.where(BAD, "lost", "kept"),
        **columns,
    }
    plain = {name: np.asarray(values).tolist() for name, values in given.items()}
    pl.DataFrame(plain, strict=False).write_csv(folder / "loans.csv")
    path = folder / "portfolio.toml"
    path.write_text(FILE.format(lists=lists, more=more))
    return path


def feature(name: str, column: str | None = None, rest: str = "") -> str:
    return FEATURE.format(name=name, column=column or name, rest=rest)


def reasons(report: Report) -> dict[str, str]:
    return {suspect.column: "; ".join(suspect.reasons) for suspect in report.suspects}


def only(report: Report, column: str) -> str:
    """Return why the one suspect of a report is suspected."""
    assert [suspect.column for suspect in report.suspects] == [column]
    return "; ".join(report.suspects[0].reasons)


def drawn(seed: int = 7) -> np.random.Generator:
    return np.random.default_rng(seed)


def noise() -> np.ndarray:
    return drawn().normal(size=ROWS).round(3)


def test_a_book_of_honest_columns_names_no_suspect(tmp_path):
    grade = np.where(drawn().random(ROWS) < np.where(BAD, 0.7, 0.3), "D", "A")
    report = check(
        book(
            tmp_path,
            grade=grade,
            wealth=noise() - 2 * BAD,  # AUC 0.92
            months_at_work=np.where(drawn().random(ROWS) < 0.3, None, 12),
            share_of_amount=LENT / 7,
            first_due_on=[day + timedelta(days=30) for day in APPLIED],
            account_opened=[day - timedelta(days=400) for day in APPLIED],
        )
    )
    assert reasons(report) == {}
    assert report.lines()[-1] == "portfolio 'book' can be read: nothing to warn of"


@pytest.mark.parametrize("direction", [1, -1])
def test_a_number_that_tells_the_outcome_alone_is_suspected_in_either_direction(tmp_path, direction):
    report = check(book(tmp_path, x=noise() + direction * 4.0 * BAD))
    assert "alone it tells bad loans from good" in only(report, "x")


def test_a_text_whose_levels_tell_the_outcome_is_suspected(tmp_path):
    hue = np.where(BAD ^ (drawn().random(ROWS) < 0.01), "red", "blue")
    assert "alone it tells bad loans from good" in only(check(book(tmp_path, hue=hue)), "hue")


def test_a_code_whose_order_says_nothing_is_told_by_its_levels(tmp_path):
    state = np.where(BAD ^ (drawn().random(ROWS) < 0.01), 5, np.where(np.arange(ROWS) % 2, 1, 9))
    assert "alone it tells" in only(check(book(tmp_path, x=state)), "x")


def test_levels_of_few_loans_each_do_not_tell_themselves(tmp_path):
    branch = [f"branch {row}" for row in drawn().integers(0, 45, ROWS)]
    assert reasons(check(book(tmp_path, branch=branch))) == {}


def test_a_sum_that_tells_the_outcome_beside_the_amount_is_suspected(tmp_path):
    received = np.where(BAD, LENT * drawn().uniform(0.3, 0.95, ROWS), LENT * 1.05).round(2)
    assert "beside the amount" in only(check(book(tmp_path, received=received)), "received")


def test_a_sum_that_is_the_amount_for_good_loans_and_any_other_for_bad_ones_is_suspected(tmp_path):
    sums = np.where(BAD, LENT * drawn().choice([0.5, 1.5], ROWS), LENT).round(2)
    assert "beside the amount" in only(check(book(tmp_path, sums=sums)), "sums")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (np.where(BAD & (np.arange(ROWS) % 2 == 0), "letter", None), "filled almost only where the loan went bad"),
        (np.where(BAD & (np.arange(ROWS) % 2 == 0), None, "letter"), "empty almost only where the loan went bad"),
        (np.where(BAD & (np.arange(ROWS) % 2 == 0), 7, 0), "other than 0 almost only where the loan went bad"),
        (np.where(BAD & (np.arange(ROWS) % 2 == 0), 0, LENT), "0 almost only where the loan went bad"),
        (np.where(~BAD & (np.arange(ROWS) % 2 == 0), "letter", None), "filled almost only where the loan went good"),
        (np.where(BAD & (np.arange(ROWS) % 2 == 0), "Y", "N"), "one of its values stands almost only where"),
    ],
)
def test_a_column_in_use_for_one_outcome_only_is_suspected(tmp_path, value, said):
    assert said in only(check(book(tmp_path, x=value)), "x")


def test_a_column_filled_for_a_few_bad_loans_or_for_many_of_a_common_outcome_is_not(tmp_path):
    few = np.where(BAD & (np.arange(ROWS) < 90), "letter", None)  # 18 loans
    twenty_good_ones = np.where(~BAD & (np.arange(ROWS) < 25), "letter", None)  # by chance 1 in 100
    assert reasons(check(book(tmp_path, few=few, good=twenty_good_ones))) == {}


@pytest.mark.parametrize("written", ["%Y-%m-%d", "%d.%m.%Y", "%Y%m%d", "%Y年%m月%d日", "%b-%Y", "%Y-%m-%d 00:00:00"])
def test_days_after_the_observation_date_are_suspected_however_they_are_written(tmp_path, written):
    days = [(day + timedelta(days=200)).strftime(written) for day in APPLIED]
    assert "days after the observation date in 100% of the loans" in only(check(book(tmp_path, seen=days)), "seen")


def test_a_day_that_was_agreed_beforehand_and_an_open_end_are_not_days_after_the_observation_date(tmp_path):
    later = [day + timedelta(days=900) for day in APPLIED]
    open_ended = [date(9999, 12, 31) if row % 3 else day for row, day in enumerate(APPLIED)]
    assert reasons(check(book(tmp_path, maturity_on=later, next_review=later, valid_to=open_ended))) == {}


@pytest.mark.parametrize(
    "name",
    [
        "total_pymnt", "last_pymnt_d", "PaymentToDate", "amount_paid", "recoveries", "collection_recovery_fee",
        "charge_off_date", "chargeoff_amount", "settlement_status", "debt_settlement_flag", "default_12m",
        "total_rec_late_fee", "last_credit_pull_d", "written_off", "write_off_reason", "outcome_code", "out_prncp",
        "还款总额", "当前逾期天数", "核销日期", "回收金额", "催收次数", "结清日期", "最近一次还款日期",
    ],
)  # fmt: skip
def test_a_name_that_speaks_of_what_comes_after_is_suspected_of_an_applicant(tmp_path, name):
    assert "its name speaks of what comes after" in only(check(book(tmp_path, **{name: noise()})), name)


@pytest.mark.parametrize(
    "name",
    [
        "delinq_2yrs", "inq_last_6mths", "mths_since_last_delinq", "mths_since_last_record", "pub_rec_bankruptcies",
        "collections_12_mths_ex_med", "chargeoff_within_12_mths", "monthly_payment", "down_payment", "repayment_type",
        "payment_to_income_ratio", "last_employer", "previous_defaults", "paid_last_6_months", "installment", "term",
        "近6个月还款次数", "历史逾期天数", "还款方式", "月还款额", "prepaid_phone",
    ],
)  # fmt: skip
def test_a_name_that_speaks_of_the_past_or_of_the_contract_is_not(name):
    assert of_what_comes_after(name, applicants=True) is None


def test_payments_to_a_running_loan_may_be_known_and_what_became_of_it_may_not():
    assert of_what_comes_after("last_payment_amount", applicants=False) is None
    assert of_what_comes_after("recovered_amount", applicants=False) == "recover"


def test_the_outcome_and_what_was_recovered_are_no_suspects(tmp_path):
    path = book(tmp_path, recovered_sum=np.where(BAD, 5, 0))
    path.write_text(path.read_text().replace("after_days = 365", 'after_days = 365\nrecovered = "recovered_sum"'))
    report = check(path)
    assert reasons(report) == {}
    assert report.unclassified == ()


def test_suspects_are_told_by_what_they_are_to_the_book_the_worst_first(tmp_path):
    leak = noise() + 4.0 * BAD
    report = check(
        book(
            tmp_path,
            lists='forbidden = ["kept_out"]\nunused = ["idle"]',
            more=feature("worst", "read_by_it"),
            kept_out=leak,
            idle=leak,
            nobodys=leak,
            read_by_it=leak,
        )
    )
    assert [(suspect.column, suspect.role) for suspect in report.suspects] == [
        ("read_by_it", Role.FEATURE),
        ("nobodys", Role.UNCLASSIFIED),
        ("idle", Role.UNUSED),
        ("kept_out", Role.FORBIDDEN),
    ]
    text = "\n".join(report.lines())
    assert "read_by_it, read by feature 'worst'" in text
    assert "kept out, and rightly" in text
    assert 'forbidden = ["read_by_it", "nobodys", "idle"]' in text
    assert report.warnings == 2, "what is kept out is no warning"


def test_a_name_alone_leaves_a_feature_to_its_person_and_keeps_out_what_nobody_reads(tmp_path):
    report = check(
        book(
            tmp_path,
            lists='unused = ["last_pymnt"]',
            more=feature("other_payments"),
            other_payments=noise(),
            recoveries=noise(),
            last_pymnt=noise(),
        )
    )
    assert {suspect.column: suspect.by_name_only for suspect in report.suspects} == dict.fromkeys(
        ["other_payments", "recoveries", "last_pymnt"], True
    )
    assert report.to_forbid == ("recoveries",)
    assert report.warnings == 2
    assert "unless it was known on the observation date" in report.suspects[0].mend


def test_a_leak_in_a_computed_column_is_a_leak_of_the_columns_behind_it(tmp_path):
    paid = np.where(BAD, LENT * 0.4, LENT).round(2)
    report = check(
        book(
            tmp_path,
            more='[computed.missing_sum]\nminus = ["lent", "back"]\n' + feature("shortfall", "missing_sum"),
            back=paid,
        )
    )
    assert {suspect.column: suspect.role for suspect in report.suspects} == {
        "back": Role.FEATURE,
        "missing_sum": Role.FEATURE,
    }


def test_a_leak_in_the_facts_file_is_found_and_named_by_its_table(tmp_path):
    facts = pl.DataFrame(
        {
            "loan_id": [f"C{row:04}" for row in range(ROWS)],
            "recorded_at": "2023-12-01T00:00:00Z",
            "signal": noise() + 4.0 * BAD,
            "honest": noise(),
        }
    ).reverse()
    facts.write_csv(tmp_path / "facts.csv")
    more = '[tables.facts]\nfile = "facts.csv"\n' + feature("signal") + feature("honest")
    assert only(check(book(tmp_path, more=more)), "facts.signal").startswith("alone it tells")


def test_each_loan_counts_once_however_many_dates_it_is_observed_on(tmp_path):
    path = book(tmp_path, letter=["x" if row in range(0, 50, 5) else None for row in range(ROWS)])
    days = [date(2025, month, 1) for month in (1, 2, 3)]
    outcomes = pl.DataFrame(
        {
            "loan_id": [f"C{row:04}" for row in range(ROWS) for _ in days],
            "happened_on": [day + timedelta(days=20) for _ in range(ROWS) for day in days],
            "bad": [bool(bad) for bad in BAD for _ in days],
            "recorded_at": "2025-06-01T00:00:00Z",
        }
    )
    outcomes.write_csv(tmp_path / "outcomes.csv")
    text = path.read_text()
    head, tail = text[: text.index("[outcome]")], '[tables.outcomes]\nfile = "outcomes.csv"\n'
    dated = head.replace('observe.each = "applied_on"', "observe.on = [2025-01-01, 2025-02-01, 2025-03-01]")
    window = "[cards.application]\nwindow_days = 27\n"
    path.write_text(dated + tail + window)
    report = check(path)
    assert f"{ROWS:,} loans; {3 * ROWS:,} cases of the application card: {3 * BAD.sum()} bad" in report.read[0]
    assert "letter" not in reasons(report), "10 loans on 3 dates are 10 loans"


def test_only_the_row_known_on_the_observation_date_is_judged(tmp_path):
    path = book(tmp_path, seen=np.full(ROWS, "no"))
    first = pl.read_csv(tmp_path / "loans.csv", infer_schema=False).with_columns(
        recorded_at=pl.col("applied_on") + "T00:00:00Z"
    )
    later = first.with_columns(
        seen=pl.when(pl.col("fate") == "lost").then(pl.lit("yes")).otherwise(pl.lit("no")),
        recorded_at=pl.lit("2026-01-01T00:00:00Z"),
    )
    text = path.read_text()
    outcome = pl.DataFrame(
        {
            "loan_id": first["contract"],
            "happened_on": [day + timedelta(days=300) for day in APPLIED],
            "bad": first["fate"] == "lost",
            "recorded_at": "2026-01-01T00:00:00Z",
        }
    )
    outcome.write_csv(tmp_path / "outcomes.csv")
    pl.concat([later, first]).drop("fate").write_csv(tmp_path / "loans.csv")
    path.write_text(text[: text.index("[outcome]")] + '[tables.outcomes]\nfile = "outcomes.csv"\n')
    assert reasons(check(path)) == {}


def test_what_nothing_reads_and_no_list_names_is_not_classified(tmp_path):
    report = check(
        book(
            tmp_path,
            lists='protected = ["sex"]\nforbidden = ["later"]\nunused = ["note"]',
            more=feature("income"),
            sex=np.full(ROWS, "f"),
            later=noise(),
            note=np.full(ROWS, "x"),
            income=noise(),
            forgotten=noise(),
        )
    )
    assert report.unclassified == ("forgotten",)
    assert any("forgotten" in line for line in report.lines())


@pytest.mark.parametrize(
    "name",
    ["personal_status_and_sex", "CODE_GENDER", "age_in_years", "DAYS_BIRTH", "foreign_worker", "maritalStatus", "性别",
     "申请人年龄", "婚姻状况", "nationality", "religion", "is_pregnant", "disability_degree", "ethnicity"],
)  # fmt: skip
def test_a_column_that_looks_protected_is_named_unless_it_is_listed(tmp_path, name):
    told = check(book(tmp_path, **{name: noise()}))
    assert list(told.protected) == [name]
    listed = check(book(tmp_path, lists=f'protected = ["{name}"]', **{name: noise()}))
    assert not listed.protected


@pytest.mark.parametrize(
    "name", ["percentage", "mortgage", "age_of_account", "vehicle_age", "foreign_currency", "stage"]
)
def test_what_is_no_attribute_of_a_person_does_not_look_protected(name):
    assert of_a_protected_attribute(name) is None


def test_a_feature_that_reads_a_protected_column_is_named(tmp_path):
    told = check(book(tmp_path, more=feature("years", "age"), age=noise())).protected["age"]
    assert "read by feature 'years'" in told


def test_a_borrower_with_several_loans_and_a_column_of_keys_are_told(tmp_path):
    report = check(
        book(
            tmp_path,
            owner=[f"P{row // 2}" for row in range(ROWS)],
            serial=[f"{MADE_UP}-{row}" for row in range(ROWS)],
            counted=range(1000, 1000 + ROWS),
            income_cents=drawn().permutation(ROWS) + 100_000,
            application_id=drawn().permutation(ROWS) + 100_000,
        )
    )
    told = "\n".join(report.identifiers)
    assert "300 of 300 borrowers have several loans: random folds will be refused" in told
    for name in ("serial", "counted", "application_id"):
        assert f"{name}: different in every row" in told
    assert "income_cents" not in told
    assert MADE_UP not in "\n".join(report.lines())


def test_features_without_words_without_differences_or_with_unnamed_levels_are_told(tmp_path):
    home = np.where(np.arange(ROWS) % 3 == 0, "tenant", np.where(np.arange(ROWS) % 3 == 1, "owner", "parents"))
    said = [f"{MADE_UP} {row}" for row in range(ROWS)]
    more = (
        '[features.wordless]\ngroup = "ability"\n'
        + feature("constant")
        + feature("states", "home", rest='levels = ["tenant", "owner", { value = "parents", en = "p", zh = "父母" }]')
        + feature("never")
        + feature(
            "home", rest='levels = [{ value = "tenant", en = "t", zh = "租" }, { value = "gone", en = "g", zh = "无" }]'
        )
        + feature("typed", rest='levels = [{ value = "a", en = "a", zh = "甲" }]')
    )
    report = check(
        book(
            tmp_path, more=more, wordless=noise(), constant=np.full(ROWS, 3), never=[None] * ROWS, home=home, typed=said
        )
    )  # fmt: skip
    told = "\n".join(report.features)
    assert "feature 'wordless' has no words for: label: en and zh" in told
    assert "feature 'constant' is the same for every case" in told
    assert "feature 'never' is known for no case" in told
    assert "feature 'home': column 'home' holds 2 values that are not among its levels and count as missing" in told
    assert "in 400 of 600 rows: 'owner', 'parents'" in told
    assert "no row of column 'home' holds the level 'gone'" in told
    assert "feature 'typed': column 'typed' holds 600 values that are not among its levels" in told
    assert "feature 'states' has no words for: 2 of its levels" in told
    assert MADE_UP not in "\n".join(report.lines())


def test_codes_that_are_no_numbers_are_told_until_they_are_declared(tmp_path):
    months = np.where(
        np.arange(ROWS) % 6 == 0, -9, np.where(np.arange(ROWS) % 6 == 1, 999, drawn().integers(0, 60, ROWS))
    )
    told = "\n".join(check(book(tmp_path, more=feature("months"), months=months)).features)
    assert "-9 in 100 rows, 999 in 100 rows" in told
    codes = 'codes = { "-9" = { en = "none", zh = "无" }, "999" = { en = "refused", zh = "拒绝" } }'
    assert not check(book(tmp_path, more=feature("months", rest=codes), months=months)).features


RATIO = '[features.{name}]\ngroup = "ability"\nlabel = {{ en = "x", zh = "甲" }}\nratio = ["{above}", "{below}"]\n'


def with_codes() -> dict[str, Any]:
    income = np.where(np.arange(ROWS) % 6 == 0, -9, drawn().integers(2_000, 4_000, ROWS))
    return {"income": income, "spent": np.where(income < 0, 500, income) - 400, "quota": drawn().integers(50, 60, ROWS)}


def test_codes_below_a_ratio_or_in_a_computed_column_are_told_once_until_they_are_declared_anywhere(tmp_path):
    more = "[computed]\nfree = { minus = ['income', 'spent'] }\n" + "".join(
        RATIO.format(name=f"r{below}", above="quota", below=below) for below in ("income", "free")
    )
    told = check(book(tmp_path, more=more, **with_codes())).features
    assert told == (
        "column 'income', read by feature 'rincome', computed 'free', may hold codes, no numbers: -9 in 100 rows. Do: "
        "declare them once for the column, as [codes.income] unknown = [-9], or with their meanings",
    )
    meant = 'codes = { "-9" = { en = "none", zh = "无" } }'
    for declared in ("[codes]\nincome = { unknown = [-9] }\n", feature("income", rest=meant)):
        assert not check(book(tmp_path, more=more + declared, **with_codes())).features


def test_what_a_ratio_divides_by_is_counted_where_it_is_not_above_zero(tmp_path):
    below = np.where(np.arange(ROWS) < 6, 0, 7 + np.arange(ROWS))
    share = (
        RATIO.format(name="share", above="quota", below="below") + "[computed]\npart = { over = ['quota', 'below'] }\n"
    )
    report = check(book(tmp_path, more=share, quota=drawn().integers(50, 90, ROWS), below=below))
    assert report.notes == (
        "feature 'share': 6 cases have a denominator, 'below', of 0 or less: there the ratio is not known",
        "computed 'part': 6 rows have a denominator, 'below', of 0 or less: there the ratio is not known",
    )


def test_a_number_in_a_text_that_is_read_up_to_a_comma_is_told(tmp_path):
    more = '[features.share]\ngroup = "ability"\nlabel = { en = "x", zh = "甲" }\nnumber_in = "said"\n'
    said = [f"{row % 50},5 %" for row in range(ROWS)]
    assert "in 600 rows of column 'said'" in check(book(tmp_path, more=more, said=said)).features[0]
    plain = [text.replace(",", ".") for text in said]
    assert not check(book(tmp_path, more=more, said=plain)).features


def test_recoveries_that_a_card_does_not_use_are_told(tmp_path):
    back = [100 if bad else None for bad in BAD]
    path = book(tmp_path, back=back)
    path.write_text(path.read_text().replace("after_days = 365", 'after_days = 365\nrecovered = "back"'))
    assert check(path).notes[0].startswith("120 recoveries are known and not used by this card")


def test_a_feature_that_the_release_has_already_is_told(tmp_path):
    path = book(tmp_path, more=feature("term", "months"), months=drawn().integers(6, 37, ROWS))
    path.write_text(path.read_text().replace("amount =", 'term_months = "months"\namount ='))
    assert "is read as loans.term_months as well" in check(path).features[0]


@pytest.mark.parametrize("name", ["edad", "geschlecht", "x_family_status"])
def test_a_feature_whose_name_speaks_of_a_protected_attribute_is_questioned(tmp_path, name):
    report = check(book(tmp_path, more=feature(name, "q7"), q7=drawn().integers(20, 60, ROWS)))
    assert report.protected[f"feature '{name}'"].startswith(f"feature '{name}' (")


def test_a_feature_whose_texts_are_those_of_a_protected_attribute_is_questioned(tmp_path):
    levels = 'levels = [{ value = "H", en = "h", zh = "一" }, { value = "M", en = "m", zh = "二" }]'
    report = check(book(tmp_path, more=feature("q7", rest=levels), q7=np.where(np.arange(ROWS) % 2, "H", "M")))
    assert report.protected["q7"].startswith("q7 ('sex'): read by feature 'q7'")


def test_a_first_check_without_a_day_or_an_outcome_stands_on_the_last_day_that_the_file_has(tmp_path):
    path = book(tmp_path, applied_on=[None] * ROWS, joined=APPLIED, lists="")
    text = path.read_text().replace('observe.each = "applied_on"', "").split("[outcome]")[0]
    path.write_text(text)
    report = check(path)
    assert report.suspects == ()
    assert f"this check stands on {max(APPLIED)}" in report.assumed[0]


def test_outcomes_after_the_window_are_told_with_both_numbers(tmp_path):
    path = book(tmp_path, lists="")
    path.write_text(path.read_text() + "[cards.application]\nwindow_days = 30\n")
    with pytest.raises(DataRefused) as refusal:
        check(path)
    assert refusal.value.found == (
        "600 of 600 loans have no outcome within the performance window; 600 of these have one after it has ended, up "
        "to 365 days after the observation date where the card's window is 30: say [cards.application] window_days, or "
        "outcome.after_days, so that they agree"
    )


def test_words_that_a_card_lacks_are_told_and_stop_nothing(tmp_path):
    path = book(tmp_path)
    path.write_text(path.read_text() + '[cards.application]\noutcome = { en = "lost" }\n')
    report = check(path)
    assert report.features == ("card 'application' has no words for: outcome: zh",)
    assert "bad: lost" in report.read


@pytest.mark.parametrize(
    ("values", "codes"),
    [
        (np.repeat(np.arange(18.0, 100.0), 10), []),  # ages end at 99, with no heap
        (np.repeat(np.arange(-50.0, 51.0), 10), []),  # a difference lies on both sides of 0
        (np.repeat([-9.0, -8.0, 60.0, 61.0, 62.0], [40, 30, 100, 100, 100]), [-9.0, -8.0]),
        (np.repeat([1.0, 2.0, 98.0, 99.0], [30, 20, 100, 200]), [98.0, 99.0]),
        (np.repeat([1.0, 2.0, 99.0], [100, 100, 5]), []),
        (np.array([]), []),
        (np.full(100, -1.0), []),
    ],
)
def test_a_code_lies_beyond_all_other_numbers_and_stands_in_many_rows(values, codes):
    assert [code for code, _ in edge_codes(values)] == codes


def test_what_the_file_does_not_say_is_told_as_assumed(tmp_path):
    path = book(tmp_path, more=feature("income"), income=noise())
    text = (
        path.read_text().replace('borrower_id = "owner"', 'borrower_id = { row = "B" }').replace("after_days = 365", "")
    )
    path.write_text(text)
    told = "\n".join(check(path).assumed)
    assert "table 'loans' has no recorded_at: each row counts as recorded at noon of its applied_on" in told
    assert "what features read counts as known when the loan's row was recorded" in told
    assert "borrower_id is the number of the row" in told
    assert "[outcome] has no after_days" in told
    assert "[cards.application] has no outcome in words" in told


def test_the_report_says_what_was_read(tmp_path):
    fate = np.where(BAD, "lost", "kept")
    fate[:7] = "open"
    told = "\n".join(check(book(tmp_path, fate=fate)).read)
    assert "600 loans; 600 cases of the application card: 118 bad, 475 good, 7 indeterminate" in told
    assert "rows: loans 600, outcomes 600" in told
    assert f"dates from {min(APPLIED)} to {max(APPLIED)}, each loan on the day of its application" in told
    assert "currency: EUR" in told


def test_a_book_to_be_scored_has_no_outcomes_and_is_judged_by_names_and_days(tmp_path):
    path = book(tmp_path, late=[day + timedelta(days=9) for day in APPLIED], sure=noise() + 9 * BAD)
    text = path.read_text()
    path.write_text(text[: text.index("[outcome]")])
    report = check(path)
    assert set(reasons(report)) == {"late"}
    assert any("outcomes are not known" in line for line in report.difficulties)
    path.write_text(path.read_text().replace('observe.each = "applied_on"', ""))
    assert f"this check stands on {max(APPLIED)}" in "\n".join(check(path).assumed)


def test_what_would_stop_training_is_told(tmp_path):
    report = check(book(tmp_path, lists='forbidden = ["no_such"]', fate=["lost"] * 5 + ["kept"] * (ROWS - 5)))
    told = "\n".join(report.difficulties)
    assert "5 cases have the rarer outcome" in told
    assert "in a list, and not in the loans' file: no_such" in told
    path = book(tmp_path)
    path.write_text(path.read_text().replace('card = "application"', 'card = "collection"'))
    assert "no loan belongs to the collection card" in "\n".join(check(path).difficulties)


def test_a_book_with_faults_is_refused_with_all_of_them(tmp_path):
    path = book(tmp_path, fate=np.where(BAD, "lost", MADE_UP))
    with pytest.raises(TablesRefused) as refused:
        check(path)
    assert refused.value.total == (~BAD).sum()
    assert MADE_UP not in str(refused.value)
    path.write_text(path.read_text() + "\n[nonsense]\n")
    with pytest.raises(ConfigurationRefused, match="nonsense"):
        check(path)


def test_outcomes_that_do_not_fit_the_observation_date_refuse_the_book(tmp_path):
    path = book(tmp_path)
    path.write_text(path.read_text() + "\n[cards.application]\nwindow_days = 30\n")
    with pytest.raises(DataRefused, match="600 of 600 loans have no outcome within the performance window"):
        check(path)


AFTER_LENDING = {
    "last_pymnt_d", "last_pymnt_amnt", "last_credit_pull_d", "recoveries", "collection_recovery_fee",
    "total_rec_prncp", "total_rec_int", "total_rec_late_fee", "total_pymnt", "total_pymnt_inv", "out_prncp",
    "out_prncp_inv", "debt_settlement_flag", "debt_settlement_flag_date", "settlement_status", "settlement_date",
    "settlement_amount", "settlement_percentage", "settlement_term",
}  # fmt: skip
OF_THE_APPLICATION = {
    "loan_amnt", "term", "emp_length", "home_ownership", "annual_inc", "verification_status", "purpose", "addr_state",
    "dti", "delinq_2yrs", "inq_last_6mths", "mths_since_last_delinq", "mths_since_last_record", "open_acc", "pub_rec",
    "revol_bal", "revol_util", "total_acc", "pub_rec_bankruptcies", "earliest_cr_line", "desc_len", "int_rate", "grade",
    "sub_grade", "installment",
}  # fmt: skip


def data_set(name: str) -> Path:
    folder = DATA / name
    if not folder.is_dir():
        pytest.skip(f"the data set {name} is not here: it does not ship with the project")
    return folder


@pytest.mark.slow
def test_every_column_of_lendingclub_that_comes_after_lending_is_suspected_and_none_of_the_application(tmp_path):
    data = data_set("lendingclub_2007_2011")
    path = tmp_path / "lendingclub.toml"
    path.write_text("""\
name = "lendingclub"
card = "application"
observe.each = "applied_on"
[tables.loans]
file = "lendingclub_2007_2011.csv.gz"
where = [{ column = "loan_status", one_of = ["Charged Off", "Fully Paid"] }]
[tables.loans.columns]
loan_id = { row = "L" }
borrower_id = { row = "L" }
product = { value = "instalment" }
currency = { value = "USD" }
applied_on = "issue_d"
amount = { column = "loan_amnt", per_unit = 100, rounded = true }
[outcome]
column = "loan_status"
bad = ["Charged Off"]
good = ["Fully Paid"]
after_days = 365
[cards.application]
window_days = 365
""")
    report = check(path, data)
    assert not AFTER_LENDING - set(report.to_forbid)
    assert not OF_THE_APPLICATION & set(reasons(report))
    assert "5,670 bad, 34,116 good" in report.read[0]


def test_german_credit_has_no_leak_and_three_columns_that_look_protected(tmp_path):
    data = data_set("german")
    path = tmp_path / "german.toml"
    path.write_text("""\
name = "german"
card = "application"
observe.on = 2000-01-01
[tables.loans]
file = "germancredit.csv"
[tables.loans.columns]
loan_id = { row = "G" }
borrower_id = { row = "G" }
product = { value = "instalment" }
currency = { value = "DEM" }
amount = { column = "credit_amount", per_unit = 100 }
term_months = "duration_in_month"
[outcome]
column = "creditability"
bad = ["bad"]
good = ["good"]
""")
    report = check(path, data)
    assert report.suspects == ()
    assert set(report.protected) == {"personal_status_and_sex", "age_in_years", "foreign_worker"}


def test_a_feature_that_tells_only_the_date_is_named_and_one_without_a_day_is_not(tmp_path: Path):
    loans = [f"L{row},B{row},2023-01-05,{1000 + row}" for row in range(60)]
    owners = [f"B{row},{5000 + row}" for row in range(60)]
    (tmp_path / "loans.csv").write_text("loan_id,borrower_id,opened_on,amount\n" + "\n".join(loans))
    (tmp_path / "owners.csv").write_text("borrower_id,monthly_income\n" + "\n".join(owners))
    file = """
name = "book"
card = "all"
observe.on = [2024-01-31, 2024-03-31]

[tables.loans]
file = "loans.csv"

[tables.loans.columns]
product = { value = "instalment" }
currency = { value = "CNY" }

[tables.borrowers]
file = "owners.csv"
"""
    dated = '\n[tables.borrowers.columns]\nstated_on = { value = "2023-01-01" }\n'
    place = tmp_path / "portfolio.toml"
    place.write_text(file + dated)
    assert any(
        "feature 'days_since_income_evidence' is on each date the same for all loans" in told
        for told in check(place).features
    )
    place.write_text(file)
    report = check(place)
    assert not any("days_since_income_evidence" in told for told in report.features)
    assert any(told.startswith("table 'borrowers' has no stated_on") for told in report.assumed)
