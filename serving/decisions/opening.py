"""Opens all that recording needs: the keys, the vault of the subjects, the log and the policy that is in force."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from features.errors import ConfigurationRefused
from models.trial import load_tried
from serving.decisions.archive import Archive
from serving.decisions.cards import Cards
from serving.decisions.erasures import Erasures
from serving.decisions.outbox import Log
from serving.decisions.policies import keep_policy, policies_in
from serving.decisions.recorder import Recorder
from serving.openapi import release
from serving.records.errors import AuditBroken
from serving.records.opening import Place
from serving.records.store import Store, open_store
from serving.settings import DEFAULT_LOG_NAME, OFF, RECORDS, Settings, records_in, require_one_log
from serving.state import Loaded
from serving.subjects.keys import LOG_PUBLIC, Keys, created_keys, read_keys, read_public_key
from serving.subjects.subject import KEY_BYTES
from serving.subjects.vault import DATABASE, Vault, open_vault


def opened_recorder(settings: Settings, loaded: Loaded, log: Log) -> Recorder | None:
    """Return what writes decisions down, with keys and a log made where there are none; None where none are recorded.

    Whoever was erased and is back with an older copy of the vault is erased again first.

    Parameters
    ----------
    log : takes a line where an event of another program cannot be written down, and one where erasures were settled

    Raises
    ------
    LogOwned : another process writes to the log, which is in SQLite
    ConfigurationRefused : a key or a file is not what it should be, or a log has decisions and the vault is not there
    AuditBroken : the log is not the one that was signed
    VaultBusy, VaultStopped, VaultBroken, LogBusy, LogStopped : whether everybody stays erased cannot be made sure of
    """
    if settings.records is None and settings.database_url is None:
        return None
    state = settings.written_to
    keys = created_keys(secrets_in(state))
    place = place_of(
        state, keys.log_public, settings.records, settings.anchors, settings.log_name, settings.database_url
    )
    keep_policy(policies_in(state), loaded.policy, settings.policy)
    with ExitStack() as undo:
        # The log first: whoever wrote the decisions that it shows had a vault before.
        store = undo.enter_context(_opened_store(place, keys, state))
        if store.size and not _has_vault(state):
            raise ConfigurationRefused(
                "no vault of subjects beside a log that has decisions",
                where=str(subjects_in(state)),
                expected="the vault that the log was written with: without it no decision in it can be read",
                do="bring the vault back from its copy",
            )
        vault = undo.enter_context(open_vault(subjects_in(state), keys.subjects))
        archive = Archive(place, vault, settings.home, state)
        erasures = Erasures(archive, store)
        settled = erasures.settled()
        if any(settled):
            log(settled.told())
        undo.pop_all()
    cards = Cards(settings.home, policies_in(state), load_tried)
    return Recorder(store, archive, cards, _derived(keys), release(), log, beside=erasures.follow)


def opened_archive(
    home: Path,
    state: Path | None = None,
    records: Path | None = None,
    anchors: Path | None = None,
    log_name: str = DEFAULT_LOG_NAME,
    database_url: str | None = None,
) -> Archive:
    """Return a log for reading, also while a service writes to it; see `serving.settings` for where it lies.

    Raises
    ------
    ConfigurationRefused : there are no keys, or they cannot be read
    """
    state = state or home
    keys = read_keys(secrets_in(state))
    place = place_of(state, keys.log_public, records, anchors, log_name, database_url)
    return Archive(place, open_vault(subjects_in(state), keys.subjects), home, state)


def opened_vault(state: Path) -> Vault:
    """Return the vault of the subjects.

    Raises
    ------
    ConfigurationRefused : there are no keys, or they cannot be read
    """
    return open_vault(subjects_in(state), read_keys(secrets_in(state)).subjects)


def place_to_check(
    state: Path, records: Path | None, anchors: Path | None, log_name: str, database_url: str | None, key: Path | None
) -> Place:
    """Return where a log lies, for whoever may read it and has its public key, and no secret.

    Parameters
    ----------
    key : a file with the log's public key; None for the one that lies beside the secrets

    Raises
    ------
    ConfigurationRefused : there is no such key
    """
    public = read_public_key(key or secrets_in(state) / LOG_PUBLIC)
    return place_of(state, public, records, anchors, log_name, database_url)


def place_of(
    state: Path,
    public: Ed25519PublicKey,
    records: Path | None,
    anchors: Path | None,
    log_name: str,
    database_url: str | None = None,
) -> Place:
    """Return where a log lies: in the state, with its checkpoints beside its folder, unless others are named.

    Raises
    ------
    ConfigurationRefused : a folder is named beside a database
    """
    require_one_log(records, database_url)
    if str(records) == OFF:
        raise ConfigurationRefused(
            f"no decision log: the service records nothing ({OFF})",
            where=f"{RECORDS} or --records",
            expected="the folder of a log",
            do="name the folder of the log that is meant",
        )
    beside = state / "checkpoints" / "decisions.txt"
    return Place(records or records_in(state), anchors or beside, log_name, (public,), database_url or None)


def _opened_store(place: Place, keys: Keys, state: Path) -> Store:
    try:
        return open_store(place, keys.log, time.monotonic)
    except AuditBroken as error:
        if place.url is None or _has_vault(state):
            raise
        raise ConfigurationRefused(
            f"a state folder from which nothing was written to this log ({error.found})",
            where=str(state),
            expected="the keys, the vault and the checkpoints of the processes that write to it: they share one state",
            do="name theirs with --state and --checkpoints, or name another log",
        ) from error


def _has_vault(state: Path) -> bool:
    return (subjects_in(state) / DATABASE).exists()


def secrets_in(state: Path) -> Path:
    """Return where the operator's secrets lie; those that sign models are the store's own."""
    return state / "secrets"


def subjects_in(state: Path) -> Path:
    """Return where the vault lies: never in the same backup as the log."""
    return state / "subjects"


def _derived(keys: Keys) -> bytes:
    """Return the key under which callers' own keys and bodies are hashed."""
    return HKDF(SHA256(), KEY_BYTES, None, b"repayrank requests 1").derive(keys.subjects)
