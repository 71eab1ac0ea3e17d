"""What a disk may hold after the power failed: all that was synced, and any part of what was not.

The writes and syncs of a process are recorded with strace. An image is made for one moment: of each file what its last
sync covered, and of the writes since then any subset, each torn at the sectors of a disk. Names of files are taken as
durable when they are made and when they are removed.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

SECTOR = 512
CALLS = "pwrite64,write,ftruncate,fdatasync,fsync,unlink"
TRACER = ("strace", "-f", "-qq", "-y", "-xx", "-s", "100000", "-e", f"trace={CALLS}", "-o")
BEGUN = re.compile(
    r'(?P<pid>\d+) +(?P<call>\w+)\((?:(?P<number>\d+)<(?P<path>[^>]*)>|"(?P<name>[^"]*)")'
    r'(?:, "(?P<data>[^"]*)")?(?:, (?P<first>\d+))?(?:, (?P<second>\d+))?(?P<rest>.*)'
)
RESUMED = re.compile(r"(?P<pid>\d+) +<\.\.\. (?P<call>\w+) resumed>.* = (?P<value>-?\d+)")
ACKNOWLEDGED = "acknowledged"


class Event(NamedTuple):
    """A write, truncation, removal or finished sync of a file, or a line that the process told."""

    kind: str
    path: str
    data: bytes = b""
    offset: int = 0


@dataclass
class File:
    """A file's content up to its last sync, and what was done to it since."""

    synced: bytearray = field(default_factory=bytearray)
    since: list[Event] = field(default_factory=list)
    length: int = 0

    def sync(self) -> None:
        self.synced = self.after(self.since)
        self.since = []

    def after(self, events: list[Event]) -> bytearray:
        content = bytearray(self.synced)
        for event in events:
            if event.kind == "truncate":
                del content[event.offset :]
                continue
            content.extend(bytes(max(0, event.offset + len(event.data) - len(content))))
            content[event.offset : event.offset + len(event.data)] = event.data
        return content


def events(trace: Path, folder: Path) -> list[Event]:
    """Return what the trace tells of files under a folder, in order, and the lines told on the output."""
    found: list[Event] = []
    lengths: dict[str, int] = {}
    syncing: dict[str, str] = {}
    for line in trace.read_text().splitlines():
        resumed = RESUMED.match(line)
        if resumed and resumed["pid"] in syncing:
            found.append(Event("sync", syncing.pop(resumed["pid"])))
        begun = BEGUN.match(line)
        if begun is None:
            continue
        call, path = begun["call"], unhexed(begun["path"] or begun["name"]).decode()
        data = unhexed(begun["data"] or "")
        if call == "write" and begun["number"] == "1":
            found.append(Event(ACKNOWLEDGED, "", data))
        if not path.startswith(str(folder)):
            continue
        if call in {"fdatasync", "fsync"}:
            if "unfinished" in begun["rest"]:
                syncing[begun["pid"]] = path
            else:
                found.append(Event("sync", path))
        elif call == "ftruncate":
            lengths[path] = int(begun["first"])
            found.append(Event("truncate", path, b"", lengths[path]))
        elif call == "unlink":
            found.append(Event("unlink", path))
        else:
            offset = int(begun["second"]) if call == "pwrite64" else lengths.get(path, 0)
            assert len(data) == int(begun["first"]), "the trace is cut"
            lengths[path] = max(lengths.get(path, 0), offset + len(data))
            found.append(Event("write", path, data, offset))
    return found


def images(
    found: list[Event], folder: Path, moments: list[int], chosen: random.Random
) -> Iterator[tuple[dict[Path, bytes], list[str]]]:
    """Yield, for each of the rising moments, what the files may hold and the lines that had been told."""
    files: dict[str, File] = {}
    told: list[str] = []
    begin = 0
    for moment in moments:
        for event in found[begin:moment]:
            file = files.setdefault(event.path, File())
            if event.kind == ACKNOWLEDGED:
                told.append(event.data.decode())
            elif event.kind == "sync":
                file.sync()
            elif event.kind == "unlink":
                del files[event.path]
            else:
                file.since.append(event)
        begin = moment
        kept = {
            Path(path).relative_to(folder): bytes(file.after(torn(file.since, chosen)))
            for path, file in files.items()
            if path and not Path(path).is_dir() and not path.endswith("-shm")
        }
        yield kept, list(told)


def torn(since: list[Event], chosen: random.Random) -> list[Event]:
    """Return any part of the writes since a sync: whole ones, none, or some of their sectors."""
    share = chosen.choice([0.0, 0.3, 0.7, 1.0])
    left: list[Event] = []
    for event in since:
        if event.kind == "truncate":
            left += [event] * (chosen.random() < share)
            continue
        at = 0
        while at < len(event.data):
            end = min(len(event.data), at + SECTOR - (event.offset + at) % SECTOR)
            if chosen.random() < share:
                left.append(Event("write", event.path, event.data[at:end], event.offset + at))
            at = end
    return left


def unhexed(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))
