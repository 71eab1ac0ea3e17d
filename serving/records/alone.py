"""Checks an exported decision log, or the receipt of one decision, without any other part of the software.

    python alone.py EXPORT [--key PUBLIC.pem] [--origin NAME] [--kept CHECKPOINTS.txt]
    python alone.py RECEIPT.json --key PUBLIC.pem [--origin NAME] [--answer FILE]

Prints what was checked. Ends with 0 when everything holds, 13 when anything does not, 2 when it was called wrongly.

EXPORT is a folder with records.jsonl, checkpoints.txt and public.pem. Without --key, the key is the one in the folder,
and only proves something once its fingerprint, which is printed, equals the one that the lender published. --kept names
checkpoints that you kept yourself: they show whether the whole log was replaced since. --answer compares an answer that
was given with all that the record has in clear, and names what it cannot compare: the lender alone has the keys.

How a log is built, so that this can be checked by reading:

    entry        one line of JSON with the SHA-256 of a record and of the answer that was given, the record's number,
                 and as "previous" the leaf hash of the entry before; the first has a hash of the log's name
    leaf hash    SHA-256(0x00, entry)                                                   RFC 6962 section 2.1
    node hash    SHA-256(0x01, left hash, right hash)                                   RFC 6962 section 2.1
    root         the hash over all leaves, split at the largest power of two below their number
    checkpoint   name of the log, number of records, root; signed with Ed25519         c2sp.org/tlog-checkpoint
    proof        the hashes beside the way from one leaf to the root                    RFC 9162 section 2.1.3
    order        a record by which the key lets older ones go, by the policy in it; their leaf hashes are left

Needs Python 3.11 and the package `cryptography`, for Ed25519 alone.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
import tomllib
from bisect import bisect_right, insort
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

HOLDS, BROKEN = 0, 13
FORMAT, RECEIPT_FORMAT = "repayrank-records/1", "repayrank-receipt/1"
DECISION = "repayrank-decision/1"
FIGURES = ("observation_date", "priority", "default_probability", "points", "band", "quadrant")
LOG_ODDS, PARTS = ("base", "log_odds", "calibrated_log_odds"), ("ability", "willingness", "circumstances")
IN_PART = {*PARTS, "treatment", "model", "policy"}
NOT_ANSWERED = {"manifest_sha256"}
NOTHING = object()
"""Stands where an answer or a record says nothing."""
ENTRY_FIELDS = {"answer_sha256", "body_sha256", "event", "key", "previous", "record_sha256", "sequence"}
LINE_FIELDS, GONE_FIELDS = {"answer", "entry", "record"}, {"leaf", "sequence"}
ORDERED, DONE, ORDER_FORMAT = "expire:records:ordered", "expire:records:done", "repayrank-expiry/1"
ORDER_FIELDS = {"format", "origin", "policy", "policy_sha256", "recorded_at", "records", "signature", "spans", "today"}
# A day counts from when it has begun in the zone furthest ahead, and is over once it is in the one furthest back.
AHEAD, BACK = timedelta(hours=14), timedelta(hours=12)
RECEIPT_FIELDS = {"checkpoint", "entry", "format", "proof", "record"}
# An Ed25519 public key in PEM is these bytes and then the key's own 32 (RFC 8410 section 4).
KEY_PREFIX, KEY_BYTES, KEY_ID_BYTES, HASH_BYTES = bytes.fromhex("302a300506032b6570032100"), 32, 4, 32
SIGNED_BY = "— "
Stated = tuple[str, int, bytes]
"""A checkpoint: the log's name, the number of records, the root."""


class DoesNotHold(Exception):
    """Something is not as it was signed; the text says what."""


def require(holds: bool, otherwise: str) -> None:
    """Go on only when something holds."""
    if not holds:
        raise DoesNotHold(otherwise)


# ---------------------------------------------------------------------------------------------------------- hashing


def sha256(*parts: bytes) -> bytes:
    """Return the SHA-256 of the parts, one after another."""
    return hashlib.sha256(b"".join(parts)).digest()


class Tree:
    """Grows leaf by leaf: keeps the roots of the complete subtrees, as (number of leaves, hash), the largest first."""

    def __init__(self) -> None:
        self.parts: list[tuple[int, bytes]] = []

    def add(self, leaf: bytes) -> None:
        """Append a leaf; two neighbours of the same size become one of twice that size."""
        self.parts.append((1, leaf))
        while len(self.parts) > 1 and self.parts[-1][0] == self.parts[-2][0]:
            (count, left), (_, right) = self.parts[-2:]
            self.parts[-2:] = [(2 * count, sha256(b"\x01", left, right))]

    def root(self) -> bytes:
        """Return the hash over all leaves."""
        hashes = [part for _, part in self.parts]
        if not hashes:
            return sha256()
        root = hashes.pop()
        while hashes:
            root = sha256(b"\x01", hashes.pop(), root)
        return root


def root_by_proof(index: int, size: int, leaf: bytes, proof: list[bytes]) -> bytes:
    """Return the root to which a proof leads from the leaf at `index` in a tree of `size` leaves.

    From the top down: the tree is split at the largest power of two below its size, the last hash of the proof is the
    half without the leaf, and the rest of the proof leads through the half with it.
    """
    if size == 1:
        require(not proof, "the proof is longer than the way from the leaf to the root")
        return leaf
    require(bool(proof), "the proof is shorter than the way from the leaf to the root")
    left = 1
    while 2 * left < size:
        left = 2 * left
    if index < left:
        return sha256(b"\x01", root_by_proof(index, left, leaf, proof[:-1]), proof[-1])
    return sha256(b"\x01", proof[-1], root_by_proof(index - left, size - left, leaf, proof[:-1]))


# ------------------------------------------------------------------------------------------------------ checkpoints


def keys_of(path: Path) -> list[bytes]:
    """Return the Ed25519 public keys of a PEM file."""
    keys = []
    for block in path.read_text().split("-----BEGIN PUBLIC KEY-----")[1:]:
        raw = base64.b64decode("".join(block.split("-----END PUBLIC KEY-----")[0].split()), validate=True)
        require(raw[:-KEY_BYTES] == KEY_PREFIX, f"{path} holds a key that is not Ed25519")
        keys.append(raw[-KEY_BYTES:])
    require(bool(keys), f"{path} holds no public key")
    return keys


def has_signed(key: bytes, signature: bytes, content: bytes) -> bool:
    """Return whether a key signed something."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, content)
    except InvalidSignature:
        return False
    return True


def checkpoint_of(note: str, keys: list[bytes]) -> Stated:
    """Return what a checkpoint states, once one of the keys is found to have signed it."""
    text, blank, signatures = note.rpartition("\n\n")
    require(bool(blank), "a checkpoint without signatures")
    require(signatures.endswith("\n"), "a checkpoint whose last line is not finished")
    text += "\n"
    origin, size, root, *rest = [*text.split("\n"), "", ""]
    require(rest == ["", "", ""], "a checkpoint that is not of three lines")
    require(size.isascii() and size.isdecimal() and str(int(size)) == size, "a checkpoint without a number of records")
    stated = origin, int(size), from_base64(root)
    require(len(stated[2]) == HASH_BYTES, "a checkpoint without a root")
    by_id = {sha256(origin.encode(), b"\n\x01", key)[:KEY_ID_BYTES]: key for key in keys}
    signed = False
    for line in signatures[:-1].split("\n"):
        require(line.startswith(SIGNED_BY), "a checkpoint with another line among its signatures")
        name, _, encoded = line.removeprefix(SIGNED_BY).partition(" ")
        made = from_base64(encoded)
        key = by_id.get(made[:KEY_ID_BYTES]) if name == origin else None
        if key is None:  # a witness's, which this does not know
            continue
        holds = has_signed(key, made[KEY_ID_BYTES:], text.encode())
        require(holds, f"the signature of the checkpoint over {size} records does not hold")
        signed = True
    require(signed, f"the checkpoint over {size} records is not signed by the key")
    return stated


def checkpoints_of(path: Path, keys: list[bytes]) -> list[Stated]:
    """Return the checkpoints of a file; a last one that a crash left unfinished is passed over.

    One that came by itself, as with an answer, has no empty line behind it, and a whole line with its signature.
    """
    text = path.read_bytes().decode()
    parts = (text if text.endswith("\n\n") or not text.endswith("\n") else f"{text}\n").split("\n\n")
    notes = [f"{parts[at]}\n\n{parts[at + 1]}\n" for at in range(0, len(parts) - 2, 2)]
    require(bool(notes), f"{path} holds no checkpoint")
    return [checkpoint_of(note, keys) for note in notes]


def from_base64(text: str) -> bytes:
    """Return the bytes of base64 that is written in its only form."""
    raw = base64.b64decode(text, validate=True)
    require(base64.b64encode(raw).decode() == text, "base64 that is not in its only form")
    return raw


# ------------------------------------------------------------------------------------------------ entries and records


def entry_of(line: str, record: str) -> dict[str, Any]:
    """Return what an entry says, once it is exactly of its form and the record is the one it names."""
    entry = in_one_form(line, ENTRY_FIELDS)
    require(type(entry["sequence"]) is int, "an entry without a number")
    named = entry["record_sha256"]
    require(sha256(record.encode()).hex() == named, "a record whose digest is not the one in its entry")
    return entry


def in_one_form(text: str, fields: set[str]) -> dict[str, Any]:
    """Return a JSON object with exactly these fields, once it is written in the only way it can be."""
    plain = json.loads(text)
    require(isinstance(plain, dict) and set(plain) == fields, "an object with other fields")
    again = json.dumps(plain, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    require(again == text, "JSON that is not written in its only form")
    return dict(plain)


class Span(NamedTuple):
    """A run of records of one kind that an order lets go; the term of the last is counted from `day`."""

    first: int
    last: int
    kind: str
    day: date
    today: date
    order: int


class Orders:
    """The orders of a log: which records they let go, and whether they may."""

    def __init__(self, found: list[tuple[int, str]], keys: list[bytes], name: str, signed: int) -> None:
        self.spans: list[Span] = []
        self.days: list[date] = []
        self.gone = 0
        for number, record in found:
            try:
                self.spans += spans_of(number, record, keys, name) if number < signed else []
            except (DoesNotHold, ValueError, TypeError, KeyError, AttributeError) as error:
                raise DoesNotHold(f"record {number}: an order to let records go: {told(error)}") from None
        self.spans.sort()
        for before, span in pairwise(self.spans):
            require(before.last < span.first, f"record {span.order}: a second order to let record {span.first} go")

    def check(self, number: int, event: str, record: str | None) -> None:
        """Go on only when the next record is there, or is gone and was let go."""
        at = bisect_right(self.spans, number, key=lambda span: span.first)
        span = self.spans[at - 1] if at and number <= self.spans[at - 1].last else None
        day = made_on(record) if record is not None and self.spans else None
        fault = (
            f"record {span.order}: an order to let record {number} go, which is another than it says" if span else ""
        )
        if record is None:
            require(span is not None, f"record {number}: it is gone, and no signed order lets it go")
            self.gone += 1
        elif span is not None:
            require(event == span.kind and day is not None and day <= span.day, fault)
        self.saw(day)
        if span is not None and number == span.last:
            require(all(seen <= span.day for seen in self.days[: bisect_right(self.days, span.today)][-1:]), fault)
            self.saw(span.day)

    def saw(self, day: date | None) -> None:
        """Remember a day on which a record was made."""
        if day is not None and day not in self.days[-1:] and day not in self.days:
            insort(self.days, day)


def spans_of(number: int, record: str, keys: list[bytes], name: str) -> list[Span]:
    """Return what an order lets go, once the key is found to have signed it, and its own policy to allow it."""
    plain = in_one_form(record, ORDER_FIELDS)
    signature = from_base64(plain.pop("signature"))
    content = json.dumps(plain, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    require(plain["format"] == ORDER_FORMAT and plain["origin"] == name, "it is of another log")
    require(any(has_signed(key, signature, content) for key in keys), "it is not signed by the key")
    require(sha256(plain["policy"].encode()).hex() == plain["policy_sha256"], "its policy is not the one it names")
    terms = tomllib.loads(plain["policy"])["terms"]
    today, given = date.fromisoformat(plain["today"]), datetime.fromisoformat(plain["recorded_at"])
    require(given.tzinfo is not None and today <= (given.astimezone(UTC) - BACK).date(), "it was given too early")
    spans = [Span(a, b, kind, date.fromisoformat(day), today, number) for kind, a, b, day in plain["spans"]]
    require(sum(span.last - span.first + 1 for span in spans) == plain["records"], "it says another number of records")
    for before, span in pairwise([Span(-1, -1, "", date.min, today, number), *spans]):
        in_order = before.last < span.first <= span.last < number and before.day <= span.day
        require(in_order, f"record {span.first} is not in order")
        months = [term["months"] for term in terms for asked in term["kinds"] if fnmatchcase(span.kind, asked)]
        is_over = span.kind not in {ORDERED, DONE} and bool(months) and end_of_term(span.day, max(months)) < today
        require(is_over, f"record {span.last} must still be kept by its own policy")
    return spans


def end_of_term(day: date, months: int) -> date:
    """Return the last day of a term: that of the same number, or the first after a month that is too short."""
    month = 12 * day.year + day.month - 1 + months
    try:
        return date(month // 12, month % 12 + 1, day.day)
    except ValueError:
        return date((month + 1) // 12, (month + 1) % 12 + 1, 1)


def made_on(record: str) -> date | None:
    """Return the day on which a record was made, by the clock furthest ahead; None where it does not say when."""
    try:
        made = datetime.fromisoformat(json.loads(record)["recorded_at"])
        return (made.astimezone(UTC) + AHEAD).date() if made.tzinfo else None
    except (ValueError, TypeError, KeyError, OverflowError):
        return None


def orders_in(path: Path) -> list[tuple[int, str]]:
    """Return the orders of an export, with their places."""
    with path.open("rb") as stream:
        likely = [(number, json.loads(raw)) for number, raw in enumerate(stream) if ORDERED.encode() in raw]
    return [(at, str(line["record"])) for at, line in likely if json.loads(line["entry"])["event"] == ORDERED]


def is_signed(tree: Tree, size: int, roots: dict[int, set[bytes]]) -> bool:
    """Return whether the tree has the root that was signed for its size, if one was."""
    return size not in roots or roots[size] == {tree.root()}


def check_export(folder: Path, keys: list[bytes], origin: str | None, kept: Path | None) -> list[str]:
    """Return what was checked in an export."""
    stated = checkpoints_of(folder / "checkpoints.txt", keys)
    count = len(stated)
    stated += checkpoints_of(kept, keys) if kept else []
    name = origin or stated[0][0]
    require(all(other == name for other, _, _ in stated), f"a checkpoint of another log than {name}")
    roots: dict[int, set[bytes]] = {}
    for _, size, root in stated:
        roots.setdefault(size, set()).add(root)
    signed = max(roots)
    orders = Orders(orders_in(folder / "records.jsonl"), keys, name, signed)
    tree, previous, number = Tree(), sha256(f"{FORMAT}\n{name}\n".encode()), 0
    require(is_signed(tree, 0, roots), "the checkpoint over no records has another root")
    with (folder / "records.jsonl").open("rb") as stream:
        for number, raw in enumerate(stream, start=1):
            try:
                previous, event, record = leaf_of(raw.decode().removesuffix("\n"), number - 1, previous)
            except (DoesNotHold, ValueError, TypeError, AttributeError) as error:
                raise DoesNotHold(f"record {number - 1}: {told(error)}") from None
            orders.check(number - 1, event, record)
            tree.add(previous)
            require(is_signed(tree, number, roots), f"the first {number} records are not those that were signed")
    require(signed <= number, f"record {number}: the end of the log, where {signed} records were signed")
    checked = [
        f"log {name}",
        f"{number} records: each has the content its entry names and follows the one before",
        *[f"{orders.gone} of them are gone, each let go by a signed order when its term was over"][: orders.gone],
        f"{count} checkpoints: each is signed and has the root of its records",
        f"root over all records {tree.root().hex()}",
    ]
    if kept:
        checked.append(f"{len(stated) - count} checkpoints that you kept: each has the root of its records")
    if signed < number:
        checked.append(f"note: the last {number - signed} records are not signed yet")
    return checked


def leaf_of(text: str, number: int, previous: bytes) -> tuple[bytes, str, str | None]:
    """Return leaf hash, event and record of a line that is whole and follows the one before; a gone one has no more."""
    if text.startswith('{"leaf"'):
        line = in_one_form(text, GONE_FIELDS)
        leaf = bytes.fromhex(line["leaf"])
        require(len(leaf) == HASH_BYTES and leaf.hex() == line["leaf"], "a leaf that is not a hash")
        require(
            type(line["sequence"]) is int and line["sequence"] == number, "a line with another number than its place"
        )
        return leaf, "", None
    line = in_one_form(text, LINE_FIELDS)
    entry = entry_of(line["entry"], line["record"])
    answer = sha256(from_base64(line["answer"])).hex()
    require(answer == entry["answer_sha256"], "an answer whose digest is not the one in its entry")
    require(entry["sequence"] == number, "an entry with another number than its place")
    require(entry["previous"] == previous.hex(), "an entry that does not follow the one before it")
    return sha256(b"\x00", line["entry"].encode()), entry["event"], line["record"]


def check_receipt(path: Path, keys: list[bytes], origin: str | None, answer: Path | None) -> list[str]:
    """Return what was checked in a receipt."""
    receipt = in_one_form(path.read_bytes().decode(), RECEIPT_FIELDS)
    require(receipt["format"] == RECEIPT_FORMAT, "a receipt of another format")
    name, size, root = checkpoint_of(receipt["checkpoint"], keys)
    require(origin in {None, name}, f"a receipt of the log {name}")
    entry = entry_of(receipt["entry"], receipt["record"])
    index = entry["sequence"]
    require(0 <= index < size, "a record that the checkpoint does not cover")
    proof = [bytes.fromhex(step) for step in receipt["proof"]]
    require(all(len(step) == HASH_BYTES for step in proof), "a proof of other things than hashes")
    require([step.hex() for step in proof] == receipt["proof"], "a proof that is not written in its only form")
    leaf = sha256(b"\x00", receipt["entry"].encode())
    require(root_by_proof(index, size, leaf, proof) == root, "a proof that does not lead to the signed root")
    checked = [
        f"log {name}",
        f"record {index}: has the content its entry names; {entry['event']}, key {entry['key']}",
        f"the entry is among the {size} records of a signed checkpoint, by a proof of {len(proof)} hashes",
    ]
    if answer:
        checked += check_answer(answer.read_bytes(), receipt["record"], entry)
    return checked


def check_answer(answer: bytes, record: str, entry: dict[str, Any]) -> list[str]:
    """Return what was checked in the answer that somebody was given, and what in it nobody but the lender can check.

    Of a decision the log keeps the figures in clear and the rest of the answer as ciphertext for the lender alone.
    """
    kept = json.loads(record)
    if kept.get("format") != DECISION:
        require(sha256(answer).hex() == entry["answer_sha256"], "another answer than was recorded")
        return ["the answer is the one that was recorded"]
    given = json.loads(answer, object_pairs_hook=each_once)
    decisions = given.pop(kept["answer"], [])
    require(not given, "an answer that says more than its decisions")
    ids = [figures["score_id"] for figures in kept["decisions"]]
    is_same = [said.get("score_id") for said in decisions] == ids
    require(is_same, "score_id: other decisions than were recorded, or in another order")
    equal: dict[str, None] = {}
    sealed: set[str] = set()
    for said, figures in zip(decisions, kept["decisions"], strict=True):
        for name, answered, recorded in compared(said, figures, kept):
            # By their text: to Python 1, 1.0 and true are equal.
            is_same = repr(answered) == repr(recorded)
            require(is_same, f"{name}: another than was recorded, in decision {figures['score_id']}")
            equal |= {name: None} if recorded is not NOTHING else {}
        sealed |= left_in(said)
    return [
        f"the answer is about the decisions of this record; equal to it are {', '.join(equal)}",
        f"NOT compared, for the record has it sealed or not at all: {', '.join(sorted(map(printable, sealed)))}",
    ]


def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; of a name that stands in it twice another reader may take the other value."""
    require(len(dict(pairs)) == len(pairs), "an answer in which a name stands twice")
    return dict(pairs)


def compared(said: dict[str, Any], figures: dict[str, Any], record: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Take out of an answer's entry what the record has in clear: the name, what is said and what was recorded."""
    for name in ("score_id", *FIGURES, *LOG_ODDS):
        yield name, taken(said, name), figures.get(name, NOTHING)
    for name in PARTS:
        yield name, taken(said, name, "contribution"), figures[name]
    yield "treatment", taken(said, "treatment", "rung"), figures["treatment"]
    reasons: list[Any] = said["reasons"] if isinstance(said.get("reasons"), list) else [NOTHING]
    yield "reasons", [[taken(one, "feature"), taken(one, "effect")] for one in reasons], figures["reasons"]
    # An engine is answered none; what each contribution was is sealed.
    as_recorded = all(("contribution" in one) == record["full"] for one in reasons)
    require(as_recorded, "reasons: contributions that were not answered, or without those that were")
    for name in sorted(record["model"].keys() - NOT_ANSWERED):
        yield f"model.{name}", taken(said, "model", name), record["model"][name]
    for name in sorted(record["policy"]):
        yield f"policy.{name}", taken(said, "policy", name), record["policy"][name]


def taken(plain: Any, *way: str) -> Any:
    """Take out and return what stands at the end of a way, or NOTHING."""
    for name in way[:-1]:
        plain = plain.get(name) if isinstance(plain, dict) else None
    return plain.pop(way[-1], NOTHING) if isinstance(plain, dict) else NOTHING


def left_in(said: dict[str, Any]) -> set[str]:
    """Return the names of what was not taken out of an entry; of what was taken in part, of the rest."""
    names = set()
    for name, value in said.items():
        rest = value if name == "reasons" else [value] if name in IN_PART else None
        names |= {name} if rest is None else {f"{name}.{inner}" for one in rest for inner in one}
    return names


def printable(name: str) -> str:
    """Return a name as it may be printed; whoever made the answer chose it."""
    return name if name.replace(".", "").isidentifier() else ascii(name)


# ------------------------------------------------------------------------------------------------------- command line


def told(error: Exception) -> str:
    """Return what is wrong; of an error of the parsers its kind alone, since its text may quote a record."""
    return str(error) if isinstance(error, DoesNotHold | OSError) else f"not readable ({type(error).__name__})"


def main(arguments: list[str]) -> int:
    """Check what the arguments name, say what was found and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("path", type=Path, metavar="EXPORT_OR_RECEIPT")
    parser.add_argument("--key", type=Path, help="the lender's public key, in PEM")
    parser.add_argument("--origin", help="the name that the log must have")
    parser.add_argument("--kept", type=Path, help="checkpoints that you kept yourself")
    parser.add_argument("--answer", type=Path, help="the answer that you were given")
    given = parser.parse_args(arguments)
    is_export = given.path.is_dir()
    if not is_export and given.key is None:
        parser.error("a receipt proves something only under a key that you know: name it with --key")
    try:
        keys = keys_of(given.key or given.path / "public.pem")
        if is_export:
            checked = check_export(given.path, keys, given.origin, given.kept)
        else:
            checked = check_receipt(given.path, keys, given.origin, given.answer)
    except (DoesNotHold, OSError, ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        sys.stdout.write(f"DOES NOT HOLD: {told(error)}\n")
        return BROKEN
    for key in keys:
        checked.append(f"key {sha256(KEY_PREFIX, key).hex()} (SHA-256): compare it with the one that was published")
    sys.stdout.write("".join(f"{line}\n" for line in [*checked, "everything holds"]))
    return HOLDS


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
