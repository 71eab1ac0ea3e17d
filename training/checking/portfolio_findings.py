"""What is found in a portfolio file and its data, as lines that a risk officer reads."""

from __future__ import annotations

import itertools
import json
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from training.checking.column_roles import OF_FACTS, Role

WIDTH = 116
MENDS = {
    Role.FEATURE: "take the feature out, and put the column under forbidden",
    Role.TABLE: "make sure that it was known on the observation date; else take it from another column",
    Role.UNCLASSIFIED: "put it under forbidden",
    Role.CHOICE: "it chooses the rows; put it under forbidden, so that no feature reads it",
    Role.UNUSED: "put it under forbidden instead of unused",
    Role.PROTECTED: "kept out",
    Role.FORBIDDEN: "kept out, and rightly",
}
"""What to do with a column whose values may know the outcome, by what it is to the book: the worst first."""
KNOWN_THEN = "unless it was known on the observation date"
MENDS_OF_NAMES = {**MENDS, **{role: f"{KNOWN_THEN}, {MENDS[role]}" for role in (Role.FEATURE, Role.UNCLASSIFIED)}}
"""What to do where nothing but the name speaks against a column."""
TO_MEND = frozenset({Role.FEATURE, Role.TABLE, Role.UNCLASSIFIED, Role.CHOICE})
"""What a column is to the book when something reads it, or may come to read it."""
FORBIDDABLE = frozenset({Role.FEATURE, Role.CHOICE, Role.UNUSED})


@dataclass(frozen=True)
class Suspect:
    """A column that may know the outcome: what it is to the book, what reads it, and why it is suspected."""

    column: str
    role: Role
    read_by: tuple[str, ...]
    reasons: tuple[str, ...]
    by_name_only: bool = False

    @property
    def mend(self) -> str:
        """What to do."""
        return (MENDS_OF_NAMES if self.by_name_only else MENDS)[self.role]

    def __str__(self) -> str:
        read = f", read by {', '.join(self.read_by)}" if self.role in {Role.FEATURE, Role.TABLE} else ""
        return f"{self.column}{read}: {'; '.join(self.reasons)}"


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it; `warns` when each entry is something to mend or to decide."""

    title: str
    entries: tuple[str, ...]
    warns: bool = False


@dataclass(frozen=True)
class Report:
    """What was read, and what a person should see.

    Attributes
    ----------
    difficulties : what would stop training, or weaken it
    suspects : columns that may know the outcome, the worst first; those kept out already are among them
    protected : columns that look protected and are read by a feature, or stand in no list; each with its sentence
    identifiers : borrowers with several loans, and columns that are different in every row
    features : declared features without words, without differences, or with values that nothing names
    notes : what is as it should be, and is worth knowing
    unclassified : columns that nothing reads and no list names
    assumed : what is taken to be so because the file does not say
    """

    name: str
    read: tuple[str, ...] = ()
    difficulties: tuple[str, ...] = ()
    suspects: tuple[Suspect, ...] = ()
    protected: Mapping[str, str] = field(default_factory=dict)
    identifiers: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unclassified: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()

    @property
    def sections(self) -> tuple[Section, ...]:
        """The sections, those without entries left out."""
        told = {suspect.column for suspect in self.suspects} | set(self.protected)
        rest = [column for column in self.unclassified if column not in told]
        not_classified = (
            f"{', '.join(rest)}. Do: declare each as a feature, or put it under unused, protected or forbidden",
        )
        every = (
            Section("Read", self.read),
            Section("Would stop training, or weaken it", self.difficulties, warns=True),
            *self._of_suspects(),
            Section("Look protected", tuple(self.protected.values()), warns=True),
            Section("Identifiers", self.identifiers, warns=True),
            Section("Features", self.features, warns=True),
            Section("Worth knowing", self.notes),
            Section(f"Read by nothing and in no list: {len(rest)} columns", not_classified if rest else ()),
            Section("Assumed, where the file does not say", self.assumed),
        )
        return tuple(section for section in every if section.entries)

    def _of_suspects(self) -> Iterable[Section]:
        for role, by_name in itertools.product(MENDS, (False, True)):
            found = [one for one in self.suspects if one.role is role and one.by_name_only == by_name]
            if found:
                what = "Named like what comes after" if by_name else "May know the outcome"
                title = f"{what}, {_named(role)}: {found[0].mend}"
                yield Section(title, tuple(map(str, found)), warns=role in TO_MEND)

    @property
    def to_forbid(self) -> tuple[str, ...]:
        """The suspects of the loans' file that belong under forbidden: not one that a feature reads by name alone."""
        return tuple(
            one.column
            for one in self.suspects
            if not one.column.startswith(OF_FACTS)
            and (one.role is Role.UNCLASSIFIED or (one.role in FORBIDDABLE and not one.by_name_only))
        )

    @property
    def warnings(self) -> int:
        """How many things there are to mend or to decide."""
        return sum(len(section.entries) for section in self.sections if section.warns)

    def lines(self) -> list[str]:
        """Return the report as lines of text; the last one says what was found in all."""
        told: list[str] = []
        for section in self.sections:
            told += [section.title, *(line for entry in section.entries for line in _wrapped(entry)), ""]
        if self.to_forbid:
            told.append(
                "To keep the suspects out, list them above the file's first section; no feature may read them then:"
            )
            told += [*_wrapped(f"forbidden = {json.dumps(self.to_forbid, ensure_ascii=False)}"), ""]
        found = f"{self.warnings} warning{'s' if self.warnings > 1 else ''}" if self.warnings else "nothing to warn of"
        return [*told, f"portfolio '{self.name}' can be read: {found}"]


def _named(role: Role) -> str:
    return {
        Role.FEATURE: "read by features",
        Role.TABLE: "read as one of our tables' columns",
        Role.UNCLASSIFIED: "not classified",
        Role.CHOICE: "read to choose rows",
        Role.UNUSED: "unused",
        Role.PROTECTED: "protected",
        Role.FORBIDDEN: "forbidden",
    }[role]


def _wrapped(entry: str) -> list[str]:
    return textwrap.wrap(
        entry, WIDTH, initial_indent="  ", subsequent_indent="      ", break_on_hyphens=False, break_long_words=False
    )
