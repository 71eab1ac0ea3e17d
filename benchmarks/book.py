"""A whole book in buckets, from Parquet to Parquet: features, scores, exact contributions, ledger and reasons.

Ours is `repayrank score` as anyone runs it. The usual way, pandas and shap with the same trees, is given 10,000 loans
and its time is multiplied: it grows with the loans. Its features and log-odds are checked to be ours, within 1e-9.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks import obvious
from benchmarks.features import OBSERVED_ON, write_book
from benchmarks.made_card import CARD, made_card
from benchmarks.result import Result
from benchmarks.turns import Ratio
from models.attribution import ADDITIVITY_BOUND

LOANS, PER_BUCKET, GIVEN = 1_000_000, 20_000, 10_000
TENTH = 10
ASKED, ASKED_GIGABYTES, ASKED_GROWTH = 60, 4, 11


def results(loans: int = LOANS) -> Iterator[Result]:
    """Yield the comparison, and how time and memory grow with the book; fewer loans for a quick look."""
    with tempfile.TemporaryDirectory() as made:
        here = Path(made)
        card = made_card(here / "home", here / "book")
        card.model.booster_.save_model(here / obvious.MODEL)
        (here / obvious.NAMES).write_text(json.dumps(list(card.catalog.names)))
        for bucket in range(loans // PER_BUCKET):
            write_book(here / "large" / f"bucket={bucket:05}", PER_BUCKET, seed=bucket, first=bucket * PER_BUCKET)
        small = here / "small"
        small.mkdir()
        for bucket in sorted((here / "large").iterdir())[: max(loans // PER_BUCKET // TENTH, 1)]:
            (small / bucket.name).symlink_to(bucket)
        write_book(here / "given", GIVEN, seed=0)
        tenth, tenth_peak = _ours(here, "small")
        before = _theirs(here)
        whole, peak = _ours(here, "large")
        after = _theirs(here)
        _check_equal(here)
        times = loans / GIVEN
        yield Result(
            f"whole book, {loans:,} loans: features, score, contributions, ledger, reasons, Parquet to Parquet",
            "pandas and shap.TreeExplainer, from 10,000 loans",
            ASKED,
            Ratio.of([whole, whole], [before * times, after * times]),
            f"{whole / 60:.1f} minutes, {loans / whole:,.0f} loans a second; peak {peak / 1e9:.2g} GB, "
            f"asked {ASKED_GIGABYTES}",
        )
        part = len(list(small.iterdir())) * PER_BUCKET
        growth = whole / tenth
        met = "" if growth <= ASKED_GROWTH * loans / part / TENTH else " (short)"
        yield Result(
            f"cost growth, {part:,} to {loans:,} loans",
            f"at most {ASKED_GROWTH / TENTH:.1f} times as long for each loan",
            TENTH / ASKED_GROWTH,
            Ratio.of([whole / loans], [tenth / part]),
            f"{growth:.3g}x the time{met} for {loans / part:g}x the loans; peak {tenth_peak / 1e9:.2g} and "
            f"{peak / 1e9:.2g} GB",
        )


def _ours(here: Path, book: str) -> tuple[float, int]:
    """Return seconds of the whole command, and the most memory it ever held."""
    command = f"score --portfolio {here / book} --card {CARD} --home {here / 'home'} --as-of {OBSERVED_ON}"
    words = [*command.split(), "--contributions", "--out", str(here / f"{book}.parquet")]
    began = time.perf_counter()
    with subprocess.Popen([sys.executable, "-m", "repayrank", *words]) as process:  # noqa: S603 - ourselves
        peak = 0
        while process.poll() is None:
            peak = max(peak, _peak(process.pid))
            time.sleep(0.1)
    assert process.returncode == 0, "the command failed"
    return time.perf_counter() - began, peak


def _peak(process: int) -> int:
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    told = status.partition("VmHWM:")[2].split()
    return int(told[0]) * 1024 if told else 0


def _theirs(here: Path) -> float:
    command = [sys.executable, "-m", "benchmarks.book", "theirs", str(here)]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ})  # noqa: S603
    return float(json.loads(told.stdout)["seconds"])


def _measure_theirs(here: Path) -> None:
    """Features, log-odds and contributions of the loans given, to Parquet."""
    import pandas as pd

    from benchmarks import pandas_features

    scorer = obvious.Scorer(here)
    began = time.perf_counter()
    frame = pandas_features.values(here / "given", OBSERVED_ON)[scorer.names].astype(float)
    odds = scorer.booster.predict(frame, raw_score=True)
    moved = scorer.explainer.shap_values(frame)
    moved = moved[1] if isinstance(moved, list) else moved
    told = pd.DataFrame(moved, index=frame.index, columns=[f"contribution_{name}" for name in scorer.names])
    told["log_odds"] = odds
    told.rename_axis("loan_id").reset_index().to_parquet(here / "theirs.parquet")
    print(json.dumps({"seconds": time.perf_counter() - began}))


def _check_equal(here: Path) -> None:
    """Score the loans given by ours too and compare."""
    _ours(here, "given")
    theirs = pl.read_parquet(here / "theirs.parquet").sort("loan_id")
    ours = pl.read_parquet(here / "given.parquet").sort("loan_id")
    for name in theirs.columns:
        if name != "loan_id" and np.abs(theirs[name].to_numpy() - ours[name].to_numpy()).max() > ADDITIVITY_BOUND:
            raise AssertionError(f"{name} differs")


def main() -> None:
    """Run the child, or the comparison on so many loans."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.book")
    parser.add_argument("way", choices=["theirs", "compare"])
    parser.add_argument("rest")
    given = parser.parse_args()
    if given.way == "theirs":
        _measure_theirs(Path(given.rest))
        return
    for result in results(int(given.rest)):
        print(result.line)


if __name__ == "__main__":
    main()
