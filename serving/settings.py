"""What the operator decides about the service: where the models lie, which cards it answers, how much it takes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import parse_qsl, urlsplit

from features.errors import ConfigurationRefused, UsageError

HOME, CARDS, POLICY = "REPAYRANK_HOME", "REPAYRANK_CARDS", "REPAYRANK_POLICY"
STATE, RECORDS = "REPAYRANK_STATE", "REPAYRANK_RECORDS"
ANCHORS, LOG_NAME = "REPAYRANK_CHECKPOINTS", "REPAYRANK_LOG_NAME"
DATABASE_URL = "REPAYRANK_DATABASE_URL"
OFF = "off"
"""What `REPAYRANK_RECORDS` says where nothing is to be recorded."""
DEFAULT_LOG_NAME = "repayrank/decisions"
DEFAULT_HOME = Path(".repayrank")
MEBIBYTE = 2**20


@dataclass(frozen=True)
class Settings:
    """The service's settings.

    Attributes
    ----------
    home : the model store (`models.store`), which is only read
    state : folder of all that is written: tokens, secrets, subjects, decisions, checkpoints; None for the home
    policy : a policy file, or None for the one that ships with the release
    cards : the cards to answer; empty for every card that has a champion
    records : folder of the decision log
    database_url : postgresql://user@host/database where the log is in PostgreSQL, to which several processes may write.
        Where neither is given no decision is recorded
    anchors : file of the log's signed checkpoints; None for one in the state. It belongs on another disk, or with
        another owner: whoever can change both log and checkpoints can take back the newest decisions
    log_name : the log's name, which its checkpoints carry; given once for its life
    host, port : where to listen; port 0 takes a free one
    most_bytes : largest request body
    most_loans : most loans in one request
    most_bytes_held : bytes of all bodies that are being read or worked on
    most_in_flight : most scoring requests at a time, waiting ones included; more are told to come again
    threads : how many computations run at a time; requests that wait meanwhile are computed together
    read_seconds : longest time a client may take to send its body
    look_seconds : time between looks for a new champion
    leave_seconds : how long after SIGTERM requests are still taken while readiness is refused, so that whoever spreads
        them over several services stops sending; longer than it takes to ask for readiness again
    """

    home: Path = DEFAULT_HOME
    state: Path | None = None
    policy: Path | None = None
    cards: tuple[str, ...] = ()
    records: Path | None = None
    database_url: str | None = field(default=None, repr=False)
    anchors: Path | None = None
    log_name: str = DEFAULT_LOG_NAME
    host: str = "127.0.0.1"
    port: int = 3000
    most_bytes: int = 8 * MEBIBYTE
    most_loans: int = 5_000
    most_bytes_held: int = 256 * MEBIBYTE
    most_in_flight: int = 128
    threads: int = 2
    read_seconds: float = 5.0
    look_seconds: float = 1.0
    leave_seconds: float = 0.0

    def __post_init__(self) -> None:
        limits = (
            "most_bytes",
            "most_loans",
            "most_bytes_held",
            "most_in_flight",
            "threads",
            "read_seconds",
            "look_seconds",
        )
        faults = [f"{name} must be above 0" for name in limits if getattr(self, name) <= 0]
        if not 0 <= self.leave_seconds < float("inf"):
            faults.append("leave_seconds must be 0 or more")
        if not 0 <= self.port <= 65_535:  # noqa: PLR2004 - the range of a port
            faults.append("port must be 0 to 65535")
        if faults:
            raise ConfigurationRefused(
                "; ".join(faults), where="service settings", expected="usable limits", do="correct the settings named"
            )
        require_one_log(self.records, self.database_url)

    @property
    def written_to(self) -> Path:
        """Where all lies that the service writes."""
        return self.state or self.home

    @property
    def log_told(self) -> str:
        """Where decisions are recorded, in a word: of a database neither address nor user."""
        return "postgresql" if self.database_url else str(self.records or OFF)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Return the settings of a process that is started by others, such as `bentoml serve`."""
        given = os.environ if environment is None else environment
        home = Path(given[HOME]) if given.get(HOME) else _home_beside_the_code()
        state = Path(given[STATE]) if given.get(STATE) else home
        log = log_chosen(state, Path(given[RECORDS]) if given.get(RECORDS) else None, given.get(DATABASE_URL))
        return cls(
            home=home,
            state=state,
            records=log.folder,
            database_url=log.url,
            anchors=Path(given[ANCHORS]) if given.get(ANCHORS) else None,
            log_name=given.get(LOG_NAME) or DEFAULT_LOG_NAME,
            policy=Path(given[POLICY]) if given.get(POLICY) else None,
            cards=tuple(name.strip() for name in given.get(CARDS, "").split(",") if name.strip()),
        )


class Log(NamedTuple):
    """Where decisions are recorded: a folder or a database, or neither."""

    folder: Path | None
    url: str | None


def log_chosen(state: Path, records: Path | None, url: str | None, *, without: bool = False) -> Log:
    """Return where decisions are recorded, by what the operator said.

    Raises
    ------
    ConfigurationRefused : two places, or a database and that nothing is to be recorded
    """
    if without:
        return Log(None, None)
    require_one_log(records, url)
    if url:
        return Log(None, url)
    return Log(None if str(records) == OFF else records or records_in(state), None)


def require_one_log(records: Path | None, url: str | None) -> None:
    """Refuse a folder beside a database.

    Raises
    ------
    ConfigurationRefused : both are given
    """
    if records is not None and url:
        raise ConfigurationRefused(
            "two places for one log, or a place and that there is none",
            where=f"{RECORDS} or --records, and {DATABASE_URL} or --database-url",
            expected="one of them",
            do="leave the other out",
        )


def require_no_password(url: str) -> str:
    """Return a database's URL that came from the command line, which every user of the machine can read.

    Raises
    ------
    UsageError : there is a password in it
    """
    with suppress(ValueError):  # what cannot be read is refused when it is used
        parts = urlsplit(url)
        if parts.password is not None or any("password" in name for name, _ in parse_qsl(parts.query)):
            raise UsageError(
                "a password on the command line, where every user of the machine can read it",
                where="--database-url",
                expected="a URL without a password",
                do=f"put the whole URL into the environment ({DATABASE_URL}), or the password into ~/.pgpass "
                "(PGPASSFILE), and take another password: this one may have been read",
            )
    return url


def records_in(state: Path) -> Path:
    """Return where the decision log lies unless the operator says otherwise."""
    return state / "decisions"


def _home_beside_the_code() -> Path:
    """A bento carries its models next to its code, wherever it is served from."""
    beside = Path(__file__).parents[1] / DEFAULT_HOME
    return beside if beside.is_dir() else DEFAULT_HOME
