"""Which numbers of a lender's columns are no numbers: said once, they hold wherever the column is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from features.declared import Declaration, Words, columns_of, reads_a_number

UNKNOWN = "unknown"
"""The key under which a column lists numbers that mean "not known" and no more."""

Codes = Mapping[str, Words | tuple[float, ...]]
"""Of one column: codes with their meanings, and `unknown` numbers without."""


def faults_in(column: str, codes: Codes) -> Iterator[str]:
    """Yield what is wrong with the codes of one column, in words."""
    for key, told in codes.items():
        if (key == UNKNOWN) is isinstance(told, Words):
            yield f"[codes.{column}] {key}: a code has words, as {{ en = '...' }}, and unknown is a list of numbers"
        elif key != UNKNOWN and _number(key) is None:
            yield f"[codes.{column}] {key}: a code is a number, as '-9'"


def codes_by_column(codes: Mapping[str, Codes], features: Mapping[str, Declaration]) -> dict[str, tuple[float, ...]]:
    """Return the numbers of each column that are no numbers, whether its own section says so or a feature of it."""
    found: dict[str, set[float]] = {}
    for column, told in codes.items():
        found.setdefault(column, set()).update(_meant(told), _unknown(told))
    for name, declared in features.items():
        if declared.codes or declared.unknown:
            own = found.setdefault(declared.column or name, set())
            own.update(map(float, declared.codes), declared.unknown)
    return {column: tuple(sorted(numbers)) for column, numbers in found.items() if numbers}


def with_codes(codes: Mapping[str, Codes], features: Mapping[str, Declaration]) -> dict[str, Declaration]:
    """Return features that know the codes of the columns they read.

    The first feature that reads a column as it is tells each code with a meaning as a yes/no feature of its own; for
    the others a code is a number that is not known.
    """
    every = codes_by_column(codes, features)
    told_already: set[tuple[str, float]] = {
        (declared.column or name, float(code)) for name, declared in features.items() for code in declared.codes
    }
    found: dict[str, Declaration] = {}
    for name, declared in features.items():
        changes: dict[str, object] = {}
        if reads_a_number(declared):
            column = declared.column or name
            known = {*map(float, declared.codes), *declared.unknown}
            meant = {
                code: words
                for number, (code, words) in _words(codes.get(column, {})).items()
                if number not in known and (column, number) not in told_already
            }
            told_already.update((column, float(code)) for code in meant)
            known.update(map(float, meant))
            changes = {
                "codes": {**declared.codes, **meant},
                "unknown": (*declared.unknown, *(one for one in every.get(column, ()) if one not in known)),
            }
        else:
            read = {column: every[column] for column in columns_of(name, declared) if column in every}
            changes = {"no_numbers": {**read, **declared.no_numbers}}
        found[name] = msgspec.structs.replace(declared, **changes)
    return found


def _words(codes: Codes) -> dict[float, tuple[str, Words]]:
    return {float(code): (code, told) for code, told in codes.items() if isinstance(told, Words)}


def _meant(codes: Codes) -> set[float]:
    return set(_words(codes))


def _unknown(codes: Codes) -> set[float]:
    told = codes.get(UNKNOWN, ())
    return set() if isinstance(told, Words) else set(told)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
