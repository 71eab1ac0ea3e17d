"""The log as files that an auditor can take along and check without us: records, checkpoints and the public key.

    records.jsonl      a line a record: {"answer":base64,"entry":text,"record":text}; the texts are the hashed bytes.
                       Of a record that was dropped at the end of its term {"leaf":hex,"sequence":number}
    checkpoints.txt    the signed notes, each followed by an empty line
    public.pem         the keys that signed them, to be compared with what the lender published

`python alone.py FOLDER` checks them; that file is copied along. A receipt is one JSON file that proves one record.
"""

from __future__ import annotations

import base64
import os
import shutil
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from features.errors import UsageError
from models.artefact import canonical
from serving.records import alone
from serving.records.anchors import read_anchors, read_last
from serving.records.audit import Receipt, checked_rows, followed_orders
from serving.records.opening import FOLDER_MODE, Place, database_of
from serving.records.tables import Gone, Row, read_head, reading, require_log

RECORDS, CHECKPOINTS, PUBLIC, VERIFIER = "records.jsonl", "checkpoints.txt", "public.pem", "alone.py"
RECEIPT_FORMAT = "repayrank-receipt/1"


def export(place: Place, folder: Path) -> int:
    """Write the log into a new folder and return how many records it has; each was checked on the way.

    Raises
    ------
    UsageError : the folder is there already
    AuditBroken : a record or a checkpoint does not hold; the folder is then not complete
    """
    try:
        folder.mkdir(mode=FOLDER_MODE, parents=True)
    except FileExistsError:
        raise UsageError(
            "a folder that is there already", where=str(folder), expected="a new folder", do="name another one"
        ) from None
    kept = read_anchors(place.anchors, place.origin, place.trusted)
    (folder / PUBLIC).write_bytes(public_pem(place))
    shutil.copyfile(alone.__file__, folder / VERIFIER)
    count = 0
    with reading(database_of(place)) as tables, (folder / RECORDS).open("wb") as stream:
        require_log(tables, place.origin)
        # An order that was signed meanwhile may have taken rows away that were there before.
        newest = read_last(place.anchors, place.origin, place.trusted)
        kept += [newest] * (kept[-1][0].size < newest[0].size <= read_head(tables).tree.size)
        (folder / CHECKPOINTS).write_bytes(b"".join(note + b"\n" for _, note in kept))
        following = followed_orders(tables, place, kept[-1][0].size)
        for row in checked_rows(tables, place):
            following.saw(row)
            stream.write(_line(row))
            count += 1
        stream.flush()
        os.fsync(stream.fileno())
    return count


def public_pem(place: Place) -> bytes:
    """Return the trusted keys as PEM blocks, one after another."""
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return b"".join(key.public_bytes(encoding, form) for key in place.trusted)


def receipt_bytes(receipt: Receipt) -> bytes:
    """Return a receipt as the bytes of its file."""
    return canonical(
        {
            "checkpoint": receipt.note.decode(),
            "entry": receipt.line.decode(),
            "format": RECEIPT_FORMAT,
            "proof": [step.hex() for step in receipt.proof],
            "record": receipt.record.decode(),
        }
    )


def _line(row: Row | Gone) -> bytes:
    if isinstance(row, Gone):
        return canonical({"leaf": row.leaf.hex(), "sequence": row.sequence}) + b"\n"
    asked = row.entry.asked
    plain = {
        "answer": base64.b64encode(asked.answer).decode(),
        "entry": row.entry.line().decode(),
        "record": asked.record.decode(),
    }
    return canonical(plain) + b"\n"
