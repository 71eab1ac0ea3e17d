"""What a challenger would have said, beside what was answered: one row for each decision, in files that last.

    HOME/shadow/CARD/VERSION/000000000000-000000004096.parquet

A file holds the decisions of the records from its first number up to its second, and its name says so: how far the work
has come is read from the names, so no decision is scored twice and none is passed over, whoever is killed and when. A
file appears whole or not at all. The newest one grows by being written anew, with more records, before the old one is
removed; one whose records another file holds as well counts for nothing.

There are scores, bands and places, under the number of the decision and the pseudonym that the log has it under: no id,
no amount, no feature. All of it can be made again from the log: remove the folder and score anew. The rows of records
that leave the log at the end of their terms leave here with them: a file is then written anew under its own name.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from features.errors import ConfigurationRefused, DataRefused, ModelRefused
from features.words import Text
from models.champions import sync_folder

if TYPE_CHECKING:
    from polars._typing import PolarsDataType

FORMAT = "repayrank-shadow/1"
FOLDER, LOCK = "shadow", ".lock"
DIGEST = "rows_sha256"
NAME = re.compile(r"(\d{12})-(\d{12})\.parquet")
BEGUN = ".begun-*"
MOST_ROWS = 20_000
"""Decisions of a file, beyond which the next ones go into a file of their own: so much is written anew each time."""

FIGURES: dict[str, PolarsDataType] = {
    "log_odds": pl.Float64,
    "calibrated_log_odds": pl.Float64,
    "default_probability": pl.Float64,
    "points": pl.Int64,
    "band": pl.String,
    "place": pl.Int64,
}
"""Of each of the two scores; `place` is that among the loans of a ranking that could be scored, 1 is worked first."""

SCHEMA = pl.Schema(
    {
        "score_id": pl.String,
        "record": pl.Int64,
        "scored_at": pl.Datetime("us", "UTC"),
        "subject": pl.String,
        "observation_date": pl.Date,
        "policy": pl.String,
        "outcome": pl.String,
        "champion": pl.String,
        **{f"champion_{name}": kind for name, kind in FIGURES.items()},
        **{f"challenger_{name}": kind for name, kind in FIGURES.items()},
    }
)


Gone = Callable[[int, int], Collection[int]]
"""Returns which records were dropped, of those from a first number up to a second."""


class Outcome(StrEnum):
    """What became of one decision."""

    SCORED = "scored"
    ERASED = "erased"
    """Its borrower was erased: what was sent about them can be read by nobody."""
    OWN = "own"
    """The challenger itself had decided it, when it was the champion."""
    OTHER_FEATURES = "other_features"
    """Features came ready, and not all that the challenger reads, with the same definition."""
    REFUSED = "refused"
    """The challenger takes no such loan, for instance in another currency."""


PASSED_OVER_FOR = {
    Outcome.ERASED: Text(en="{count} of borrowers who were erased", zh="{count}笔的借款人已被删除"),
    Outcome.OWN: Text(en="{count} that the challenger had decided itself", zh="{count}笔由挑战者模型自身作出"),
    Outcome.OTHER_FEATURES: Text(
        en="{count} on ready features that it does not read", zh="{count}笔依据其不读取的现成特征作出"
    ),
    Outcome.REFUSED: Text(en="{count} that it takes no part in", zh="{count}笔不属其评分范围"),
}
"""Why decisions have no score of the challenger, and how many."""


class Identity(NamedTuple):
    """Whose scores a folder holds, and which decisions they belong to: files of another one have no place in it.

    Attributes
    ----------
    manifest : SHA-256 of the challenger's manifest, which names all its files
    log : the name of the decision log
    """

    card: str
    version: str
    manifest: str
    log: str


class Reached(NamedTuple):
    """How far the log has been worked through: its first `records`, the last of which has the leaf hash `leaf`.

    `dropped` counts those of them that were gone at the end of their terms before they could be scored.
    """

    records: int = 0
    leaf: str = ""
    dropped: int = 0


@dataclass(frozen=True)
class ScorePairs:
    """The pairs of one challenger, in a folder of their own."""

    folder: Path

    @classmethod
    def of(cls, state: Path, card: str, version: str) -> ScorePairs:
        """Return the pairs of a card's challenger under the folder of all that is written."""
        return cls(state / FOLDER / card / version)

    @classmethod
    def all_in(cls, state: Path) -> list[ScorePairs]:
        """Return the pairs of every challenger under the folder of all that is written."""
        return [cls(folder) for folder in sorted((state / FOLDER).glob("*/*")) if folder.is_dir()]

    def reached(self, identity: Identity) -> Reached:
        """Return how far the log has been worked through.

        Raises
        ------
        ModelRefused : the folder holds the scores of another model, or of another log
        DataRefused : a file is damaged, or one is missing
        """
        parts = self._parts()
        if not parts:
            return Reached()
        told = _told(parts[-1].path)
        found = Identity(*(told.get(name, "") for name in Identity._fields))
        if found != identity:
            changed = [name for name, one, other in zip(Identity._fields, found, identity, strict=True) if one != other]
            raise ModelRefused(
                f"pairs of scores of another {' and '.join(changed)} under the same number",
                where=str(self.folder),
                expected=f"those of version {identity.version} as it is now, in the log {identity.log}",
                do="move the folder away: the decisions are then scored anew from the log",
            )
        return Reached(parts[-1].end, told["leaf"], sum(int(_told(part.path)["dropped"]) for part in parts))

    def add(self, rows: pl.DataFrame, identity: Identity, before: Reached, after: Reached) -> None:
        """Write the decisions of the records between two points of the log; they last when this returns."""
        self.folder.mkdir(parents=True, exist_ok=True)
        parts = self._parts()
        begin, dropped, grown = before.records, after.dropped - before.dropped, None
        if parts and _height(parts[-1].path) + len(rows) <= MOST_ROWS:
            grown = parts[-1]
            rows = pl.concat([_read(grown.path), rows])
            begin, dropped = grown.begin, dropped + int(_told(grown.path)["dropped"])
        told = {"format": FORMAT, **identity._asdict(), "leaf": after.leaf, "dropped": str(dropped)}
        self._write(self.folder / f"{begin:012}-{after.records:012}.parquet", rows, told)
        if grown is not None:
            grown.path.unlink()

    def drop(self, log: str, gone: Gone) -> int:
        """Leave out the rows of records that left the log, and return how many; each file is changed whole or not.

        How far the work has come, which the names and heads of the files tell, stays. The caller holds the folder.

        Parameters
        ----------
        log : the name of the decision log; pairs of another one stay

        Raises
        ------
        DataRefused : a file is damaged, or one is missing
        """
        count = 0
        for part in self._parts():
            told = _told(part.path)
            if told.get("log") != log:
                continue
            rows = _read(part.path)
            left = rows.filter(~pl.col("record").is_in(list(gone(part.begin, part.end))))
            if left.height < rows.height:
                kept = {name: told[name] for name in ("format", *Identity._fields, "leaf", "dropped")}
                self._write(part.path, left, kept)
                count += rows.height - left.height
        return count

    def read(self) -> pl.DataFrame:
        """Return all pairs in the order in which they were decided; see `SCHEMA`.

        Raises
        ------
        DataRefused : a file is damaged, or one is missing
        """
        while True:
            parts = self._parts()
            try:
                return pl.concat([pl.DataFrame(schema=SCHEMA), *(_read(part.path) for part in parts)])
            except DataRefused:
                if parts == self._parts():  # else a file grew under another name meanwhile
                    raise

    def scored(self) -> pl.DataFrame:
        """Return all pairs as `read` does, at least one of them with both scores.

        Raises
        ------
        DataRefused : nothing was scored here, or a file is damaged or missing
        """
        pairs = self.read()
        if Outcome.SCORED not in pairs.get_column("outcome"):
            raise DataRefused(
                "no decision that was scored in shadow",
                where=str(self.folder),
                expected="pairs of scores of this version",
                do=f"run `repayrank shadow --card {self.folder.parent.name} --version {self.folder.name} --once` first",
            )
        return pairs

    @property
    def records(self) -> int:
        """How many records of the log have been worked through."""
        parts = self._parts()
        return parts[-1].end if parts else 0

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep every other process from adding, until this is done or the process ends.

        Raises
        ------
        ConfigurationRefused : another one adds already
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConfigurationRefused(
                    "another process that scores in shadow",
                    where=str(self.folder),
                    expected="one process for each challenger",
                    do="let it go on, or stop it first",
                ) from None
            for left in self.folder.glob(BEGUN):
                left.unlink()
            for part in set(self._all()) - set(self._parts()):
                part.path.unlink()
            yield
        finally:
            os.close(descriptor)

    def _write(self, target: Path, rows: pl.DataFrame, told: dict[str, str]) -> None:
        """Put a file in its place, whole and on the disk when this returns."""
        following = self.folder / f"{BEGUN[:-1]}{os.getpid()}"
        whole = rows.match_to_schema(SCHEMA)
        with following.open("wb") as stream:
            whole.write_parquet(stream, metadata={**told, DIGEST: _digest(whole)})
            stream.flush()
            os.fsync(stream.fileno())
        following.replace(target)
        sync_folder(self.folder)

    def _all(self) -> list[_Part]:
        named = [(NAME.fullmatch(path.name), path) for path in self.folder.glob("*.parquet")]
        found = [_Part(int(name[1]), int(name[2]), path) for name, path in named if name]
        return sorted(found, key=lambda part: (part.begin, -part.end))

    def _parts(self) -> list[_Part]:
        """Return the files that count, one after another from the first record on."""
        counted: list[_Part] = []
        reached = 0
        for part in self._all():
            if part.end <= reached and counted:
                continue  # its records are in a longer file as well: a process was killed before it removed this one
            if part.begin != reached:
                raise DataRefused(
                    f"no file of the decisions in the records from {reached} to {part.begin}",
                    where=str(self.folder),
                    expected="files that follow each other, as they were written",
                    do="bring the file back from a copy, or move the folder away: the decisions are then scored anew",
                )
            counted.append(part)
            reached = part.end
        return counted


class _Part(NamedTuple):
    begin: int
    end: int
    path: Path


def _told(path: Path) -> dict[str, str]:
    try:
        told = pl.read_parquet_metadata(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise _damaged(path) from error
    if told.get("format") != FORMAT:
        raise _damaged(path)
    return told


def _height(path: Path) -> int:
    return int(pl.scan_parquet(path).select(pl.len()).collect().item())


def _read(path: Path) -> pl.DataFrame:
    try:
        # Once: another file may take its place between two looks.
        raw = path.read_bytes()
        told, rows = pl.read_parquet_metadata(io.BytesIO(raw)), pl.read_parquet(io.BytesIO(raw)).match_to_schema(SCHEMA)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise _damaged(path) from error
    if told.get("format") != FORMAT or told.get(DIGEST) != _digest(rows):
        raise _damaged(path)
    return rows


def _digest(rows: pl.DataFrame) -> str:
    """Return a hash of all that is in the rows: Parquet's own checksums are not read by everybody who reads it."""
    return hashlib.sha256(rows.write_csv().encode()).hexdigest()


def _damaged(path: Path) -> DataRefused:
    return DataRefused(
        "a file that is not one of pairs of scores as it was written",
        where=str(path),
        expected=f"Parquet of the form {FORMAT}",
        do="bring it back from a copy, or move the folder away: the decisions are then scored anew from the log",
    )
