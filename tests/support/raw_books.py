"""A lender's flat file with everything that makes a row raw: codes, texts for nothing, columns to be worked out."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from features.portfolios import Portfolio, open_portfolio

FILE = """
name = "cartera"
card = "application"
zone = "America/Mexico_City"
observe.each = "applied_on"
[tables.loans]
file = "cartera.csv"
separator = ";"
decimal = ","
nulls = ["", "n/a", "-9.0"]
formats = { FEC_ALTA = "%d/%m/%Y" }
[tables.loans.columns]
loan_id = "NUM_SOL"
borrower_id = "NUM_SOL"
product = { value = "instalment" }
currency = { value = "MXN" }
amount = { column = "MTO_SOL", per_unit = 100 }
applied_on = { column = "FEC_SOL", format = "%d/%m/%Y" }
[outcome]
column = "IMPAGO"
bad = ["S"]
good = ["N"]
after_days = 365
[computed]
LIBRE = { minus = ["ING_MEN", "GTO_MEN"] }
CARGA = { over = ["CUOTA", "LIBRE"] }
[codes.ANT_NEG]
98 = { en = "years not stated", zh = "未填" }
unknown = [99]
[features.burden]
group = "ability"
column = "CARGA"
risk = "rises"
label = { en = "instalment to free income", zh = "月供与可支配收入之比" }
[features.income]
group = "ability"
column = "ING_MEN"
unit = "money"
per_unit = 100
risk = "falls"
label = { en = "income", zh = "收入" }
[features.years]
group = "ability"
column = "ANT_NEG"
unit = "count"
label = { en = "years in business", zh = "经营年限" }
[features.years_to_income]
group = "ability"
ratio = ["ANT_NEG", "ING_MEN"]
label = { en = "years to income", zh = "年限与收入之比" }
[features.dwelling]
group = "ability"
column = "TIP_VIV"
each = true
levels = [{ value = "A1", en = "own", zh = "自有" }, { value = "A2", en = "rents", zh = "租住" }]
label = { en = "dwelling", zh = "住房" }
[features.education]
group = "ability"
column = "NIV_EST"
levels = ["E1", "E2", "E3"]
risk = "falls"
label = { en = "education", zh = "学历" }
[features.client_since]
group = "willingness"
months_since = "FEC_ALTA"
risk = "falls"
label = { en = "time as a client", zh = "客户关系时长" }
[features.bureau]
group = "willingness"
column = "BURO_SC"
codes = { "-8" = { en = "no file at the bureau", zh = "无征信记录" } }
risk = "falls"
label = { en = "bureau score", zh = "征信评分" }
"""
NUMBERS = ("ING_MEN", "GTO_MEN", "CUOTA", "ANT_NEG", "BURO_SC")
TEXTS = ("TIP_VIV", "NIV_EST")
Row = dict[str, str]


def made_rows(loans: int, seed: int) -> list[Row]:
    random = np.random.default_rng(seed)

    def number(low: float, high: float, *others: str) -> str:
        plain = f"{random.uniform(low, high):.2f}".replace(".", ",")
        return str(random.choice([plain, plain, plain, plain, *others]))

    rows = []
    for place in range(loans):
        applied = date(2020, 1, 1) + timedelta(days=int(random.integers(0, 600)))
        since = (applied - timedelta(days=int(random.integers(-40, 3000)))).strftime("%d/%m/%Y")
        income, costs = number(3000, 20000, "-9", "n/a", "-9,0"), number(1000, 9000, "-9", " ")
        risky = random.random() < 0.5
        rows.append(
            {
                "NUM_SOL": f"S{place}",
                "FEC_SOL": applied.strftime("%d/%m/%Y"),
                "MTO_SOL": number(1000, 90000),
                "ING_MEN": income,
                "GTO_MEN": costs,
                "CUOTA": number(4000 if risky else 200, 6000, ""),
                "ANT_NEG": str(random.choice(["98", "99", "98,0", "3", "7,5", "-2", "0", ""])),
                "TIP_VIV": str(random.choice(["A1", "A2", "A9", "n/a", "-9"])),
                "NIV_EST": str(random.choice(["E1", "E2", "E3", "E7", ""])),
                "FEC_ALTA": str(random.choice([since, since, "n/a"])),
                "BURO_SC": str(random.choice(["-8", "-9", str(random.integers(300, 800))])),
                "IMPAGO": "S" if random.random() < (0.6 if risky else 0.2) else "N",
            }
        )
    return rows


def write(folder: Path, rows: list[Row], file: str = FILE) -> Portfolio:
    (folder / "portfolio.toml").write_text(file)
    with (folder / "cartera.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(rows)
    return open_portfolio(str(folder))
