"""Features of a whole book, from Parquet to a matrix: ours against the same features in good pandas.

200,000 loans of 24 monthly instalments, observed in the middle of their lives. Payments come on the day, early, late,
in parts, with too much, or not at all; some are booked days later. Ours reads them in buckets, two at a time, as the
batch verbs do; pandas has one file for each table. Each way runs in a process of its own, warm from a small book; both
answers are checked to be the same, every feature of every loan, within 1e-9.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from benchmarks.result import Result
from benchmarks.turns import Ratio

LOANS, INSTALMENTS, WARM_LOANS, PER_BUCKET = 200_000, 24, 2_000, 20_000
BUCKETS = "buckets"
TURNS, ASKED, ASKED_MEMORY, BOUND = 3, 4, 0.6, 1e-9
OBSERVED_ON = date(2026, 6, 15)
OLDEST_MONTHS = 36
"""The first instalments fell due up to so many months before the observation date."""
OPEN_DAYS, CLOSED_DAYS = 8 / 24, 20 / 24
"""Payments are booked between eight and twenty o'clock."""

ON_THE_DAY, EARLY, LATE, IN_PARTS, TOO_MUCH, MISSED = range(6)
CHANCES = (0.5, 0.13, 0.14, 0.16, 0.05, 0.02)
MOST_EARLY, MOST_LATE = 12, 75


def results(loans: int = LOANS) -> Iterator[Result]:
    """Yield the comparison; fewer loans for a quick look."""
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        _child("book", here / "warm", str(WARM_LOANS), "1")
        _child("book", here / "full", str(loans), "0")
        runs: list[tuple[Run, Run]] = []
        for turn in range(TURNS):
            order = ("ours", "theirs") if turn % 2 == 0 else ("theirs", "ours")
            found = {way: Run(**_child(way, here / "full", str(here / "warm"), str(here / way))) for way in order}
            runs.append((found["ours"], found["theirs"]))
        compared = _check_equal(here)
    memory = statistics.median(ours.peak / theirs.peak for ours, theirs in runs)
    ours, theirs = (max(run[way].peak for run in runs) / 1e9 for way in (0, 1))
    met = "" if memory <= ASKED_MEMORY else " (short)"
    yield Result(
        f"features, {loans:,} loans x {INSTALMENTS} instalments with payments, {compared} features, Parquet to matrix",
        "pandas",
        ASKED,
        Ratio.of([ours.seconds for ours, _ in runs], [theirs.seconds for _, theirs in runs]),
        f"peak memory **{memory:.2g}x**{met}, asked {ASKED_MEMORY:g}x: {ours:.2g} / {theirs:.2g} GB",
    )


@dataclass(frozen=True)
class Run:
    """What a child tells: its time after imports, and the most memory it ever held, in bytes."""

    seconds: float
    peak: int


def _child(way: str, folder: Path, *arguments: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.features", way, str(folder), *arguments]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603 - ourselves
    return json.loads(told)


def _check_equal(folder: Path) -> int:
    """Return how many features were compared, all that three tables can give."""
    told = {way: json.loads((folder / f"{way}.json").read_text()) for way in ("ours", "theirs")}
    ours, theirs = (np.load(folder / f"{way}.npy") for way in ("ours", "theirs"))
    names = told["ours"]["features"]
    if told["ours"]["loans"] != told["theirs"]["loans"] or set(names) != set(told["theirs"]["features"]):
        raise AssertionError(f"not of both: {sorted(set(names) ^ set(told['theirs']['features']))}, or other loans")
    theirs = theirs[:, [told["theirs"]["features"].index(name) for name in names]]
    same = np.isclose(ours, theirs, rtol=0, atol=BOUND, equal_nan=True)
    if not same.all():
        differ = {name: int(count) for name, count in zip(names, (~same).sum(axis=0), strict=True) if count}
        raise AssertionError(f"loans whose values differ, by feature: {differ}")
    return len(names)


# What a child does


def _ours() -> Callable[[Path], tuple[list[str], list[str], np.ndarray]]:
    """Return the way of the batch verbs: the book in buckets, as many at a time as there are cores."""
    from features.catalog import catalog
    from features.history import History
    from features.portfolios.bucketed import Bucket, buckets

    chosen = catalog()

    def of_bucket(bucket: Bucket) -> tuple[list[str], np.ndarray]:
        matrix = chosen.values(History.as_of(OBSERVED_ON, bucket.open().tables))
        return matrix.cases.get_column("loan_id").to_list(), matrix.values

    def values(folder: Path) -> tuple[list[str], list[str], np.ndarray]:
        nonlocal chosen
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            found = list(pool.map(of_bucket, buckets(str(folder / BUCKETS))))
        matrix = np.concatenate([part for _, part in found])
        if chosen is catalog():  # the small book tells which features these tables can give
            given = ~np.isnan(matrix).all(axis=0)
            chosen = chosen.chosen(name for name, there in zip(chosen.names, given, strict=True) if there)
            return values(folder)  # and the loops are compiled for them
        return [loan for loans, _ in found for loan in loans], list(chosen.names), matrix

    return values


def _theirs() -> Callable[[Path], tuple[list[str], list[str], np.ndarray]]:
    from benchmarks import pandas_features

    def values(folder: Path) -> tuple[list[str], list[str], np.ndarray]:
        frame = pandas_features.values(folder, OBSERVED_ON)
        return frame.index, list(frame.columns), frame.to_numpy(np.float64)

    return values


def _measure(way: str, folder: Path, warm: Path, out: Path) -> None:
    values = _ours() if way == "ours" else _theirs()
    values(warm)
    began = time.perf_counter()
    loans, features, matrix = values(folder)
    seconds, peak = time.perf_counter() - began, _peak()
    np.save(out.with_suffix(".npy"), matrix)
    out.with_suffix(".json").write_text(json.dumps({"loans": list(loans), "features": features}))
    print(json.dumps({"seconds": seconds, "peak": peak}))


def _peak() -> int:
    """Return the most memory this process ever held; getrusage would count what its parent held when it was made."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


# The book


def write_book(folder: Path, loans: int, seed: int, *, first: int = 0) -> None:
    """Write `loans`, `instalments` and `payments` of a made-up book, whose loans are numbered from `first`."""
    import polars as pl

    from features.schemas import SCORED

    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    number = np.arange(INSTALMENTS)
    observed_month = np.datetime64(OBSERVED_ON, "M")
    first_month = observed_month - rng.integers(0, OLDEST_MONTHS, loans)
    day_of_month = rng.integers(0, 28, loans)
    due = (first_month[:, None] + number).astype("datetime64[D]") + day_of_month[:, None]
    opened = (first_month - 1).astype("datetime64[D]") + day_of_month
    lent = rng.integers(200_000, 20_000_000, loans)
    part = lent // INSTALMENTS
    principal = np.repeat(part[:, None], INSTALMENTS, axis=1)
    principal[:, -1] = lent - part * (INSTALMENTS - 1)
    monthly_rate = rng.uniform(0.004, 0.018, loans)
    interest = np.rint((lent[:, None] - part[:, None] * number) * monthly_rate[:, None]).astype(np.int64)
    ids = pl.Series([f"L-{loan:07d}" for loan in range(first, first + loans)])
    recorded = opened + _office_hours(rng, loans)

    def write(name: str, columns: dict[str, object]) -> None:
        kinds = SCORED[name].create_empty().schema
        frame = pl.DataFrame(columns).select(pl.col(column).cast(kinds[column]) for column in columns)
        frame.write_parquet(folder / f"{name}.parquet")

    write(
        "loans",
        {
            "loan_id": ids,
            "borrower_id": pl.Series([f"B-{loan:07d}" for loan in range(first, first + loans)]),
            "product": pl.repeat("instalment", loans, eager=True),
            "currency": pl.repeat("CNY", loans, eager=True),
            "opened_on": opened,
            "amount": lent,
            "term_months": np.full(loans, INSTALMENTS),
            "recorded_at": pl.Series(recorded).dt.replace_time_zone("UTC"),
        },
    )
    each = np.repeat(np.arange(loans), INSTALMENTS)
    write(
        "instalments",
        {
            "loan_id": ids.gather(each),
            "schedule": np.zeros(len(each), np.int16),
            "number": np.tile(number + 1, loans),
            "due_on": due.reshape(-1),
            "principal": principal.reshape(-1),
            "interest": interest.reshape(-1),
            "costs": np.zeros(len(each), np.int64),
            "recorded_at": pl.Series(np.repeat(recorded, INSTALMENTS)).dt.replace_time_zone("UTC"),
        },
    )
    loan, paid_on, amount = _paid(rng, due, principal + interest)
    delay = rng.choice([0, 1, 3], len(loan), p=[0.9, 0.07, 0.03]).astype("timedelta64[D]")
    booked = paid_on + delay + _office_hours(rng, len(loan))
    order = np.argsort(booked, kind="stable")
    write(
        "payments",
        {
            "payment_id": pl.Series([f"P-{payment:09d}" for payment in range(len(loan))]),
            "loan_id": ids.gather(loan[order]),
            "paid_on": paid_on[order],
            "amount": amount[order],
            "payer": pl.repeat("borrower", len(loan), eager=True),
            "recorded_at": pl.Series(booked[order]).dt.replace_time_zone("UTC"),
        },
    )


def _office_hours(rng: np.random.Generator, count: int) -> np.ndarray:
    seconds = rng.integers(int(OPEN_DAYS * 86_400), int(CLOSED_DAYS * 86_400), count)
    return (seconds * 1_000_000).astype("timedelta64[us]")


def _paid(rng: np.random.Generator, due: np.ndarray, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return loan, day and amount of each payment; one borrower in twelve stops paying for good."""
    loans = len(due)
    answer = rng.choice(len(CHANCES), due.shape, p=CHANCES)
    stops = np.where(rng.random(loans) < 1 / 12, rng.integers(1, INSTALMENTS, loans), INSTALMENTS)
    comes = (answer != MISSED) & (np.arange(INSTALMENTS) < stops[:, None])
    lateness = np.zeros(due.shape, np.int64)
    lateness[answer == EARLY] = -rng.integers(1, MOST_EARLY, (answer == EARLY).sum())
    late = (answer == LATE) | (answer == IN_PARTS)
    lateness[late] = np.rint(MOST_LATE * rng.random(late.sum()) ** 2)
    part = np.where(answer == IN_PARTS, rng.uniform(0.1, 0.9, due.shape), np.where(answer == TOO_MUCH, 1.4, 1.0))
    amount = np.rint(asked * part).astype(np.int64)
    halves = [
        (comes, due + lateness, amount),
        (
            comes & (answer == IN_PARTS) & (rng.random(due.shape) < 0.9),
            due + lateness + rng.integers(1, 40, due.shape),
            asked - amount,
        ),
    ]
    told = [(np.nonzero(there)[0], day[there], money[there]) for there, day, money in halves]
    return tuple(np.concatenate(columns) for columns in zip(*told, strict=True))


def main() -> None:
    """Run one child, or the comparison on so many loans."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.features")
    parser.add_argument("way", choices=["book", "ours", "theirs", "compare"])
    parser.add_argument("rest", nargs="*")
    given = parser.parse_args()
    if given.way == "compare":
        for result in results(*(int(count) for count in given.rest)):
            print(result.line)
    elif given.way == "book":
        from features.portfolios.bucketed import split

        folder, loans, seed = given.rest
        write_book(Path(folder), int(loans), int(seed))
        split(Path(folder), Path(folder) / BUCKETS, count=max(int(loans) // PER_BUCKET, 1))
        print("{}")
    else:
        _measure(given.way, *(Path(part) for part in given.rest))


if __name__ == "__main__":
    main()
