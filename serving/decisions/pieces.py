"""An answer cut into pieces, each with the loans that it is about: what one borrower may have erased is no one else's.

Put together the pieces are the answer, byte for byte. A piece that compares two loans names both; it can be read only
while both may be.
"""

from __future__ import annotations

from typing import NamedTuple

from serving.found import Found, written

ABOVE = "above_next"
BEFORE_ABOVE = b',"above_next":'
"""How the part of an entry ends that is followed by its comparison to the next loan."""


class Piece(NamedTuple):
    """Bytes of an answer; `places` are the entries that they are about, none of the frame around them."""

    places: tuple[int, ...]
    content: bytes


def pieces(found: Found) -> list[Piece]:
    """Return the pieces of an answer in their order."""
    cut = [Piece((), b'{"' + found.name.encode() + b'":[')]
    for place, entry in enumerate(found.entries):
        if place:
            cut.append(Piece((), b","))
        above = entry.get(ABOVE)
        if above is None:
            cut.append(Piece((place,), written(entry)))
        else:
            alone = {name: value for name, value in entry.items() if name != ABOVE}
            cut.append(Piece((place,), written(alone)[:-1] + BEFORE_ABOVE))
            cut.append(Piece((place, place + 1), written(above)))
            cut.append(Piece((), b"}"))
    cut.append(Piece((), b"]}"))
    return cut
