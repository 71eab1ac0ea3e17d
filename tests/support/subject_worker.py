"""A process that makes, erases or holds the vault until it is killed, and tells by one system call what returned.

python subject_worker.py live FOLDER FIRST      makes subjects from a number on and erases one of three
python subject_worker.py make FOLDER COUNT      makes the same subjects as others do at the same time
python subject_worker.py erase FOLDER NUMBER    erases one
python subject_worker.py lock FOLDER            holds the lock for writing
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from itertools import count
from pathlib import Path

from subject_vaults import name, names, opened, row_of

from serving.subjects.errors import VaultStopped
from serving.subjects.vault import LOCK

STOPPED = 5
TOGETHER = 3


def told(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def live(folder: str, first: str) -> None:
    vault = opened(Path(folder))
    for begin in count(int(first), TOGETHER):
        numbers = range(begin, begin + TOGETHER)
        for number, subject in zip(numbers, vault.subjects(names(*numbers)), strict=True):
            told("made", number, subject.pseudonym.hex(), subject.key.hex())
        told("erasing", begin, *(column.hex() for column in row_of(Path(folder), name(begin))))
        vault.erase(name(begin))
        told("erased", begin)


def make(folder: str, amount: str) -> None:
    vault = opened(Path(folder), busy_seconds=30)
    for number in range(int(amount)):
        for one, subject in zip((number, number + 1), vault.subjects(names(number, number + 1)), strict=True):
            told(one, subject.pseudonym.hex(), subject.key.hex())


def erase(folder: str, number: str) -> None:
    vault = opened(Path(folder))
    vault.erase(name(int(number)))
    told("erased", number)


def lock(folder: str) -> None:
    file = os.open(Path(folder) / LOCK, os.O_RDWR)
    fcntl.flock(file, fcntl.LOCK_EX)
    told("locked")
    time.sleep(600)


if __name__ == "__main__":
    try:
        {"live": live, "make": make, "erase": erase, "lock": lock}[sys.argv[1]](*sys.argv[2:])
    except VaultStopped:
        os._exit(STOPPED)
    os._exit(0)
