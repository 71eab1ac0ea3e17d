"""The card book of a bank in Taiwan, April to September 2005: 30,000 customers, some overdue, outcome in October.

Source: UCI Machine Learning Repository, data set 350 (Yeh and Lien, 2009), CC BY 4.0; see ATTRIBUTION.md here. The
source knows months, not days: everything of a month is dated and recorded on its last day.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from importlib.resources import files

import polars as pl

from features.portfolios.portfolio import Portfolio
from features.schemas import PRODUCTS, STATEMENT_STATES, OutcomeTable, ProtectedTable
from features.tables import Tables, with_empty_columns

MONTH_ENDS = {
    4: date(2005, 4, 30),
    5: date(2005, 5, 31),
    6: date(2005, 6, 30),
    7: date(2005, 7, 31),
    8: date(2005, 8, 31),
    9: date(2005, 9, 30),
}
OBSERVED_ON = MONTH_ENDS[9]
OUTCOME_ON = date(2005, 10, 31)
ZONE = "Asia/Taipei"
CURRENCY = "TWD"
CENTS = 100

# -2 and 0 are not documented by the source; this is how the data are commonly read.
NO_USE, PAID_IN_FULL = -2, -1

NEXT_MONTH = {"en": "default on the next month's payment", "zh": "下月还款违约"}
CARDS = {name: {"window_days": 31, "outcome": NEXT_MONTH} for name in ("behaviour", "collection", "all")}

SEX = {1: "male", 2: "female"}
EDUCATION = {1: "graduate school", 2: "university", 3: "high school", 4: "other"}
MARITAL_STATUS = {1: "married", 2: "single", 3: "other"}


def raw() -> pl.DataFrame:
    """Return the source's rows: one per customer, one column per month and kind, amounts in New Taiwan dollars."""
    with files("features.portfolios").joinpath("taiwan.parquet").open("rb") as stream:
        return pl.read_parquet(stream)


def book() -> Portfolio:
    """Return the whole book, observed on 30 September 2005."""
    wide = raw().with_columns(loan_id=pl.format("TW{}", pl.col("customer").cast(pl.String).str.zfill(5)))
    frames = {"loans": _loans(wide), "statements": _statements(wide), "payments": _payments(wide)}
    return Portfolio(
        name="taiwan",
        tables=Tables.checked(frames, where="portfolio 'taiwan'"),
        observed_on=OBSERVED_ON,
        zone=ZONE,
        outcomes=OutcomeTable.validate(with_empty_columns(_outcomes(wide), OutcomeTable)),
        protected=ProtectedTable.validate(_protected(wide)),
        source="UCI Machine Learning Repository, data set 350 (Yeh and Lien, 2009), CC BY 4.0",
        cards=CARDS,
    )


def _recorded(day: date) -> pl.Expr:
    # 12:00 UTC is the evening of the same day in Taipei.
    return pl.lit(datetime.combine(day, time(12), UTC), pl.Datetime("us", "UTC"))


def _loans(wide: pl.DataFrame) -> pl.DataFrame:
    return wide.select(
        "loan_id",
        borrower_id=pl.col("loan_id"),
        product=pl.lit("revolving", pl.Enum(PRODUCTS)),
        currency=pl.lit(CURRENCY),
        credit_limit=pl.col("limit").cast(pl.Int64) * CENTS,
        recorded_at=_recorded(MONTH_ENDS[4]),
    )


def _statements(wide: pl.DataFrame) -> pl.DataFrame:
    return pl.concat(_statement(wide, month, day) for month, day in MONTH_ENDS.items())


def _statement(wide: pl.DataFrame, month: int, day: date) -> pl.DataFrame:
    status = pl.col(f"status_{month}")
    state = (
        pl.when(status > 0)
        .then(pl.lit("overdue"))
        .when(status == NO_USE)
        .then(pl.lit("unused"))
        .when(status == PAID_IN_FULL)
        .then(pl.lit("paid_in_full"))
        .otherwise(pl.lit("part_paid"))
    )
    return wide.select(
        "loan_id",
        statement_on=pl.lit(day),
        balance=pl.col(f"bill_{month}").cast(pl.Int64) * CENTS,
        state=state.cast(pl.Enum(STATEMENT_STATES)),
        months_overdue=status.clip(lower_bound=0).cast(pl.Int16),
        recorded_at=_recorded(day),
    )


def _payments(wide: pl.DataFrame) -> pl.DataFrame:
    return pl.concat(
        wide.filter(pl.col(f"paid_{month}") > 0).select(
            payment_id=pl.format("{}-{}", "loan_id", pl.lit(day.isoformat())),
            loan_id="loan_id",
            paid_on=pl.lit(day),
            amount=pl.col(f"paid_{month}").cast(pl.Int64) * CENTS,
            recorded_at=_recorded(day),
        )
        for month, day in MONTH_ENDS.items()
    )


def _outcomes(wide: pl.DataFrame) -> pl.DataFrame:
    return wide.select(
        "loan_id", happened_on=pl.lit(OUTCOME_ON), bad=pl.col("default_10"), recorded_at=_recorded(OUTCOME_ON)
    )


def _protected(wide: pl.DataFrame) -> pl.DataFrame:
    def named(column: str, names: dict[int, str]) -> pl.Expr:
        return pl.col(column).cast(pl.Int64).replace_strict(names, default="not documented", return_dtype=pl.String)

    return wide.select(
        borrower_id=pl.col("loan_id"),
        sex=named("sex", SEX),
        age_years=pl.col("age").cast(pl.Int16),
        education=named("education", EDUCATION),
        marital_status=named("marriage", MARITAL_STATUS),
    )
