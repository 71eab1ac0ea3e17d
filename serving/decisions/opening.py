"""Opens all that recording needs: the keys, the vault of the subjects, the log and the policy that is in force."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from features.errors import ConfigurationRefused
from models.trial import load_tried
from serving.decisions.archive import Archive
from serving.decisions.cards import Cards
from serving.decisions.outbox import Log
from serving.decisions.policies import keep_policy, policies_in
from serving.decisions.recorder import Recorder
from serving.openapi import release
from serving.records.opening import Place
from serving.records.store import open_store
from serving.settings import DEFAULT_LOG_NAME, Settings, records_in
from serving.state import Loaded
from serving.subjects.keys import Keys, created_keys, read_keys
from serving.subjects.subject import KEY_BYTES
from serving.subjects.vault import Vault, open_vault


def opened_recorder(settings: Settings, loaded: Loaded, log: Log) -> Recorder | None:
    """Return what writes decisions down, with keys and a log made where there are none; None where none are recorded.

    Parameters
    ----------
    log : takes a line where an event of another program cannot be written down

    Raises
    ------
    LogOwned : another process writes to the log
    ConfigurationRefused : a key or a file is not what it should be
    AuditBroken : the log is not the one that was signed
    """
    if settings.records is None:
        return None
    state = settings.written_to
    keys = created_keys(secrets_in(state))
    place = place_of(state, keys, settings.records, settings.anchors, settings.log_name)
    keep_policy(policies_in(state), loaded.policy, settings.policy)
    with ExitStack() as undo:
        vault = undo.enter_context(open_vault(subjects_in(state), keys.subjects))
        store = undo.enter_context(open_store(place, keys.log, time.monotonic))
        if vault.is_new and store.size:
            raise ConfigurationRefused(
                "a new vault of subjects beside a log that has decisions",
                where=str(subjects_in(state)),
                expected="the vault that the log was written with: without it no decision in it can be read",
                do="bring the vault back from its copy, and remove the empty one",
            )
        undo.pop_all()
    archive = Archive(place, vault, settings.home, state)
    cards = Cards(settings.home, policies_in(state), load_tried)
    return Recorder(store, archive, cards, _derived(keys), release(), log)


def opened_archive(
    home: Path,
    state: Path | None = None,
    records: Path | None = None,
    anchors: Path | None = None,
    log_name: str = DEFAULT_LOG_NAME,
) -> Archive:
    """Return a log for reading, also while a service writes to it; see `serving.settings` for where it lies.

    Raises
    ------
    ConfigurationRefused : there are no keys, or they cannot be read
    """
    state = state or home
    keys = read_keys(secrets_in(state))
    place = place_of(state, keys, records or records_in(state), anchors, log_name)
    return Archive(place, open_vault(subjects_in(state), keys.subjects), home, state)


def opened_vault(state: Path) -> Vault:
    """Return the vault of the subjects.

    Raises
    ------
    ConfigurationRefused : there are no keys, or they cannot be read
    """
    return open_vault(subjects_in(state), read_keys(secrets_in(state)).subjects)


def place_of(state: Path, keys: Keys, records: Path, anchors: Path | None, log_name: str) -> Place:
    """Return where a log lies; its checkpoints lie beside its folder unless another place is named."""
    return Place(records, anchors or state / "checkpoints" / "decisions.txt", log_name, (keys.log_public,))


def secrets_in(state: Path) -> Path:
    """Return where the operator's secrets lie; those that sign models are the store's own."""
    return state / "secrets"


def subjects_in(state: Path) -> Path:
    """Return where the vault lies: never in the same backup as the log."""
    return state / "subjects"


def _derived(keys: Keys) -> bytes:
    """Return the key under which callers' own keys and bodies are hashed."""
    return HKDF(SHA256(), KEY_BYTES, None, b"repayrank requests 1").derive(keys.subjects)
