"""A copy of the vault has all whom it must have and nobody who was erased before; where anything is amiss it is none.

REPAYRANK_VAULT_COPIES sets how many copies are made while other processes make and erase; a release asks for 100.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from subject_vaults import MASTER, connected, name, names, opened, row_of, secrets_of, small_disk, traces, worker

from features.errors import ConfigurationRefused, UsageError
from serving.subjects.backup import Copied, backup
from serving.subjects.errors import VaultBroken
from serving.subjects.vault import DATABASE, Vault

COPIES = int(os.environ.get("REPAYRANK_VAULT_COPIES", "5"))
SEED = int(os.environ.get("REPAYRANK_VAULT_COPIES_SEED", "0"))
WORKERS = 2
APART = 10**6
"""Numbers between those of one worker and of the next."""


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with opened(tmp_path / "vault") as made:
        yield made


def copied(vault: Vault, folder: Path) -> Copied:
    return backup(vault, MASTER, folder, [])


def lines(output: Path) -> list[list[str]]:
    """Return what a worker told, without a line that is not whole."""
    return [line.split() for line in output.read_text().split("\n")[:-1]]


def test_a_copy_that_is_made_while_others_make_and_erase_has_all_that_was_there_and_nothing_that_was_erased(
    vault, tmp_path
):
    print(f"seed {SEED}")  # noqa: T201
    chosen = random.Random(SEED)
    outputs = [tmp_path / f"told-{at}" for at in range(WORKERS)]
    workers = [worker("live", tmp_path / "vault", at * APART, output=output) for at, output in enumerate(outputs)]
    try:
        for number in range(COPIES):
            until = time.monotonic() + 60
            lived = [len(lines(output)) for output in outputs]
            more = chosen.randint(1, 20)
            while any(len(lines(output)) < before + more for output, before in zip(outputs, lived, strict=True)):
                assert time.monotonic() < until, "the workers do not work"
                time.sleep(0.005)
            before = [line for output in outputs for line in lines(output)]
            told = copied(vault, tmp_path / f"copy-{number}")
            after = [line for output in outputs for line in lines(output)]
            made = {int(line[1]): bytes.fromhex(line[3]) for line in before if line[0] == "made"}
            going = {int(line[1]) for line in after if line[0] == "erasing"}
            rows = {int(line[1]): line[2:] for line in before if line[0] == "erasing"}
            erased = {number for line in before if line[0] == "erased" for number in [int(line[1])]}
            with opened(tmp_path / f"copy-{number}") as copy:
                for one in sorted(set(made) - going):
                    pseudonym = copy.pseudonym_of(name(one))
                    assert pseudonym is not None
                    assert copy.key_of(pseudonym) == made[one]
                assert all(copy.pseudonym_of(name(one)) is None for one in erased)
            assert told.subjects >= len(set(made) - going)
            gone = {f"{one} {column[:8]}": bytes.fromhex(column) for one in erased for column in rows[one]}
            assert traces(tmp_path / f"copy-{number}", gone) == []
    finally:
        for one in workers:
            one.kill()
            one.wait()


def test_holds_are_copied_and_the_copy_holds_what_the_vault_held(vault, tmp_path):
    vault.subjects(names(1, 2, 3))
    vault.hold(name(2), "order 1", date(2026, 1, 2))
    assert copied(vault, tmp_path / "copy") == Copied(3, 1)
    with opened(tmp_path / "copy") as copy:
        assert copy.holds() == vault.holds()


def test_a_vault_with_a_key_that_does_not_open_gives_no_copy(vault, tmp_path):
    vault.subjects(names(*range(50)))
    other = row_of(tmp_path / "vault", name(1))
    connection = connected(tmp_path / "vault")
    lookup = row_of(tmp_path / "vault", name(7)).lookup
    connection.execute("UPDATE subjects SET sealed_key = ? WHERE lookup = ?", (other.sealed_key, lookup))
    connection.close()
    with pytest.raises(VaultBroken, match="does not open"):
        copied(vault, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_no_copy_is_written_over_and_one_that_was_broken_off_is_made_anew(vault, tmp_path):
    vault.subjects(names(1))
    (tmp_path / "copy.unfinished").mkdir()
    (tmp_path / "copy.unfinished" / DATABASE).write_bytes(b"half")
    assert copied(vault, tmp_path / "copy").subjects == 1
    assert not (tmp_path / "copy.unfinished").exists()
    with pytest.raises(UsageError):
        copied(vault, tmp_path / "copy")


def test_who_is_erased_is_still_in_a_copy_from_before_and_in_none_from_after(vault, tmp_path):
    vault.subjects(names(1, 2))
    secrets = secrets_of(row_of(tmp_path / "vault", name(1)))
    secrets = {what: value for what, value in secrets.items() if not what.startswith("data_key")}
    copied(vault, tmp_path / "before")
    vault.erase(name(1))
    copied(vault, tmp_path / "after")
    assert len(traces(tmp_path / "before", secrets)) == len(secrets)
    assert traces(tmp_path / "after", secrets) == []


def test_a_disk_without_space_for_the_copy_leaves_the_vault_as_it_is(vault, tmp_path):
    vault.subjects(names(*range(2_000)))
    with small_disk(tmp_path / "small", 64) as small:
        with pytest.raises(ConfigurationRefused, match=r"SQLITE_FULL|SQLITE_IOERR"):
            copied(vault, small / "copy")
        shutil.rmtree(small / "copy.unfinished")
    assert not vault.is_stopped
    assert copied(vault, tmp_path / "copy").subjects == 2_000
