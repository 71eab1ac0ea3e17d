"""Features that a lender declares in its own file: a column, its group, its lawful direction, and the words for it.

What a declaration can say is little on purpose: a column as it is, the ratio of two, the months since a day, the number
in a text, an answer of yes or no, or one of some levels. Each is an expression over the columns as they come, so that
training and serving read the same columns and nobody works anything out beforehand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import dataframely as dy
import msgspec
import polars as pl

from features.declaration import Feature, Group, Risk
from features.schemas import Table
from features.tables import facts_table
from features.views import Facts, ratio
from features.words import Text, Unit

DAYS_PER_MONTH = 30.4375
"""A month's mean length: 365.25 / 12."""

Kind = Literal["number", "text", "date"]
COLUMNS: Mapping[str, Any] = {"number": dy.Float64, "text": dy.String, "date": dy.Date}
RESERVED = frozenset({"case", "loan_id", "observed_on", "recorded_at", "closed_at", "borrower_id"})
BRACES = frozenset("{}")
FIRST_NUMBER = r"(-?[0-9]+(?:\.[0-9]+)?)"
FORMS = ("ratio", "months_since", "months_between", "number_in", "length_of")
"""What a declaration may say instead of naming one column; only one of them."""


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sentence in both languages; either may be left out in a first run."""

    en: str = ""
    zh: str = ""


class Level(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One value of a category, and how it is said."""

    value: str
    en: str = ""
    zh: str = ""


class Declaration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One feature as a portfolio file declares it.

    column : the column it reads; by default the one with the feature's own name
    ratio : the first column over the second; missing unless the second is above 0
    months_since : months from the day in a column to the observation date
    months_between : months from the day in the first column to the day in the second
    number_in : the first number in a column of text
    yes : the texts of the column that count as yes; any other text is no
    length_of : how many characters a column of text has; 0 when it is empty
    levels : the texts of a category, in order: with a direction, from the least to the most of it
    each : every level becomes a yes/no feature of its own, where no order of them makes sense
    codes : numbers that are no numbers, such as -9 or 98, each with its meaning; each becomes a yes/no feature as well
    unknown : numbers that mean no more than "not known"
    no_numbers : of a ratio or a category, the numbers in each column that are none; `[codes]` fills it in
    least, most : values beyond count as these
    per_unit : minor units in one unit of a column of money
    """

    group: Literal["ability", "willingness", "circumstances"]
    risk: Literal["rises", "falls", "free"] = "free"
    unit: Unit | None = None
    column: str | None = None
    ratio: tuple[str, str] | None = None
    months_since: str | None = None
    months_between: tuple[str, str] | None = None
    number_in: str | None = None
    length_of: str | None = None
    yes: tuple[str, ...] | None = None
    levels: tuple[str | Level, ...] | None = None
    each: bool = False
    codes: Mapping[str, Words] = {}
    unknown: tuple[float, ...] = ()
    no_numbers: Mapping[str, tuple[float, ...]] = {}
    least: float | None = None
    most: float | None = None
    per_unit: int = 1
    family: str | None = None
    label: Words = Words()
    reason: Words = Words()
    missing: Words = Words()
    definition: str = ""


@dataclass(frozen=True)
class Told:
    """Declared features, and what their declarations leave unsaid."""

    features: tuple[Feature, ...]
    unsaid: tuple[str, ...]


def faults_of(name: str, told: Declaration) -> Iterator[str]:  # noqa: PLR0912 - one line per fault
    """Yield what is wrong with one declaration, in words."""
    forms = [form for form in FORMS if getattr(told, form) is not None]
    if len(forms) > 1:
        yield f"feature '{name}': only one of {', '.join(FORMS)}"
    if forms and (told.codes or told.unknown):
        yield (
            f"feature '{name}': codes go with a column as it is; say them once for the column, as "
            f"{_section(name, told)}"
        )
    if told.each and (told.levels is None or told.risk != "free"):
        yield f"feature '{name}': each goes with levels, and without a direction"
    if told.yes is not None and told.levels is not None:
        yield f"feature '{name}': either yes or levels"
    if (told.yes is not None or told.levels is not None) and (forms or told.codes or told.unknown):
        yield f"feature '{name}': yes and levels read a column as it is, without codes"
    levels = [_level(level).value for level in told.levels or ()]
    if len(set(levels)) < len(levels) or (told.levels is not None and not levels):
        yield f"feature '{name}': a category needs levels, each named once"
    if not all(map(_is_number, told.codes)):
        yield f"feature '{name}': a code is a number, as '-9'"
    if told.per_unit < 1:
        yield f"feature '{name}': per_unit is at least 1"
    for column in columns_of(name, told):
        if column in RESERVED or column.startswith("__") or hasattr(Table, column):
            yield f"feature '{name}': column '{column}' has a meaning of its own and is no fact"
    for words in (told.label, told.missing):
        if BRACES & {*words.en, *words.zh}:
            yield f"feature '{name}': braces stand in a reason only, as {{value}}"
    if BRACES & {*told.reason.en.replace("{value}", ""), *told.reason.zh.replace("{value}", "")}:
        yield f"feature '{name}': a reason has no other braces than {{value}}"
    if not name.isidentifier() or not name.isascii() or not name.islower():
        yield f"feature '{name}': a name is written with small letters, digits and underscores"


def reads_a_number(told: Declaration) -> bool:
    """Return whether a feature reads one column of numbers as it is."""
    return told.yes is None and told.levels is None and all(getattr(told, form) is None for form in FORMS)


def kinds_of(declared: Mapping[str, Declaration]) -> dict[str, Kind]:
    """Return the columns of table `facts` that features read, and what each holds.

    Raises
    ------
    ValueError : one column is read as two kinds
    """
    found: dict[str, Kind] = {}
    for name, told in declared.items():
        for column, kind in columns_of(name, told).items():
            if found.setdefault(column, kind) != kind:
                raise ValueError(f"column '{column}' is read as {found[column]} and, by feature '{name}', as {kind}")
    return found


def columns_of_kinds(kinds: Mapping[str, Kind]) -> dict[str, dy.Column]:
    """Return columns as a table declares them."""
    words = {"number": "a number", "text": "a text", "date": "a day"}
    return {
        column: COLUMNS[kind](nullable=True, description=f"{words[kind]}, as the lender declares it")
        for column, kind in kinds.items()
    }


def declared_facts(kinds: Mapping[str, Kind]) -> type[Table]:
    """Return the declaration of table `facts` with the columns given."""
    return facts_table(columns_of_kinds(kinds))


def declared_features(declared: Mapping[str, Declaration]) -> Told:
    """Return the features of declarations, in their order, each special code's own feature after its number's."""
    features: list[Feature] = []
    unsaid: list[str] = []
    for name, told in declared.items():
        words = _Words(name, told)
        if told.each:
            features.extend(_of_levels(name, told, words))
        else:
            features.append(_feature(name, told, words))
            features.extend(_of_codes(name, told, words))
        unsaid.extend(words.unsaid)
    return Told(tuple(features), tuple(unsaid))


@dataclass(frozen=True)
class Unlisted:
    """A category and the mark of a case whose text is none of its levels; `each`: its levels are features."""

    name: str
    label: Text
    each: bool
    mark: pl.Expr


def unlisted(declared: Mapping[str, Declaration], names: Iterable[str]) -> Iterator[Unlisted]:
    """Yield the categories among some features, each with the mark of a text that it does not list."""
    read = set(names)
    for name, told in declared.items():
        own = {name, *(f"{name}_is_{place}" for place in range(1, len(told.levels or ()) + 1))}
        if told.levels is not None and own & read:
            known = [_level(level).value for level in told.levels]
            mark = _real(told, told.column or name).is_in(known).not_().fill_null(value=False)
            yield Unlisted(name, _Words(name, told).label, told.each, mark)


def plain_of(declared: Mapping[str, Declaration]) -> dict[str, Any]:
    """Return declarations as plain data, as an artefact keeps them."""
    return {name: msgspec.to_builtins(told) for name, told in declared.items()}


def from_plain(plain: Mapping[str, Any]) -> dict[str, Declaration]:
    """Return the declarations written by `plain_of`."""
    return {name: msgspec.convert(told, Declaration) for name, told in plain.items()}


def _feature(name: str, told: Declaration, words: _Words) -> Feature:
    return Feature(
        name=name,
        group=Group(told.group),
        unit=unit_of(told),
        risk=Risk[told.risk.upper()],
        family=told.family or name,
        label=words.label,
        reason=words.reason,
        missing=words.missing,
        definition=told.definition or words.definition,
        view=Facts,
        formula=lambda _: _expression(name, told),
        capped_at=told.most,
        levels=words.levels,
        reads=tuple(columns_of(name, told).items()),
        samples=(*(told.yes or ()), *(_level(level).value for level in told.levels or ()), *told.codes),
    )


def _of_codes(name: str, told: Declaration, words: _Words) -> Iterator[Feature]:
    column = told.column or name
    for code, meaning in told.codes.items():
        said = words.code(code, meaning)
        value = float(code)
        yield Feature(
            name=f"{name}_is_{code.replace('-', 'minus_').replace('.', '_')}",
            group=Group(told.group),
            unit=Unit.YES_NO,
            risk=Risk.FREE,
            family=told.family or name,
            label=said,
            reason=_with(said, Text(en="{value}", zh="{value}")),
            missing=words.missing,
            mark_of=name,
            holds=said,
            definition=f"Whether column '{column}' holds the code {code}.",
            view=Facts,
            formula=lambda _, value=value: (pl.col(column) == value).last(),
            reads=((column, "number"),),
            samples=(code,),
        )


def _of_levels(name: str, told: Declaration, words: _Words) -> Iterator[Feature]:
    column = told.column or name
    for place, (level, said) in enumerate(zip(map(_level, told.levels or ()), words.levels, strict=True), start=1):
        label = _with(words.label, said)
        yield Feature(
            name=f"{name}_is_{place}",
            group=Group(told.group),
            unit=Unit.YES_NO,
            risk=Risk.FREE,
            family=told.family or name,
            label=label,
            reason=_with(label, Text(en="{value}", zh="{value}")),
            missing=words.missing,
            mark_of=name,
            holds=words.reason.filled(value=said),
            otherwise=_with(words.label, ANOTHER),
            definition=f"Whether column '{column}' holds the text '{level.value}'.",
            view=Facts,
            formula=lambda _, value=level.value: _real(told, column) == value,
            reads=((column, "text"),),
            samples=(level.value,),
        )


def _expression(name: str, told: Declaration) -> pl.Expr:
    value = _value(name, told)
    if told.least is not None or told.most is not None:
        value = value.clip(told.least, told.most)
    return value * told.per_unit if told.per_unit > 1 else value


def _value(name: str, told: Declaration) -> pl.Expr:  # noqa: PLR0911 - one line per form
    column = _real(told, told.column or name)
    if told.ratio is not None:
        return ratio(_real(told, told.ratio[0]), _real(told, told.ratio[1]))
    if told.months_since is not None:
        return (pl.col("observed_on").last() - pl.col(told.months_since).last()).dt.total_days() / DAYS_PER_MONTH
    if told.months_between is not None:
        begin, end = (pl.col(day).last() for day in told.months_between)
        return (end - begin).dt.total_days() / DAYS_PER_MONTH
    if told.length_of is not None:
        return pl.col(told.length_of).last().str.len_chars().fill_null(0)
    if told.number_in is not None:
        return pl.col(told.number_in).last().str.extract(FIRST_NUMBER, 1).cast(pl.Float64, strict=False)
    if told.yes is not None:
        return column.is_in(list(told.yes))
    if told.levels is not None:
        places = {_level(level).value: float(place) for place, level in enumerate(told.levels)}
        return column.replace_strict(places, default=None, return_dtype=pl.Float64)
    no_numbers = [*map(float, told.codes), *told.unknown]
    return pl.when(column.is_in(no_numbers).not_()).then(column) if no_numbers else column


def _real(told: Declaration, column: str) -> pl.Expr:
    """Return a column without the numbers that are none; in a column of text they are texts that read as such."""
    value, codes = pl.col(column).last(), told.no_numbers.get(column, ())
    if not codes:
        return value
    number = value.cast(pl.String).str.strip_chars().cast(pl.Float64, strict=False)
    return pl.when(number.is_in(list(codes)).fill_null(value=False).not_()).then(value)


def columns_of(name: str, told: Declaration) -> dict[str, Kind]:
    """Return the columns that a feature reads, and what each holds."""
    if told.ratio is not None:
        return dict.fromkeys(told.ratio, "number")
    if told.months_since is not None:
        return {told.months_since: "date"}
    if told.months_between is not None:
        return dict.fromkeys(told.months_between, "date")
    text = told.number_in or told.length_of
    if text is not None:
        return {text: "text"}
    return {told.column or name: "text" if told.yes is not None or told.levels is not None else "number"}


def _section(name: str, told: Declaration) -> str:
    numbers = [*map(float, told.codes), *told.unknown]
    return f"[codes.{next(iter(columns_of(name, told)))}] unknown = [{', '.join(f'{one:g}' for one in numbers)}]"


def unit_of(told: Declaration) -> Unit:
    """Return what the values of a feature count."""
    if told.levels is not None:
        return Unit.CATEGORY
    if told.yes is not None:
        return Unit.YES_NO
    if told.unit is not None:
        return told.unit
    if told.length_of is not None:
        return Unit.COUNT
    if told.ratio is not None:
        return Unit.RATIO
    return Unit.MONTHS if told.months_since or told.months_between else Unit.NUMBER


def _level(level: str | Level) -> Level:
    return level if isinstance(level, Level) else Level(level)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


class _Words:
    """The words of a declaration, with plain ones for those it leaves out; `unsaid` lists these."""

    def __init__(self, name: str, told: Declaration) -> None:
        self.unsaid: list[str] = []
        self.name, plain = name, name.replace("_", " ")
        self.label = self._said("label", told.label, plain)
        plain_reason = _with(self.label, Text(en="{value}", zh="{value}"))
        self.reason = self._said("reason", told.reason, plain_reason.en, plain_reason.zh, optional=True)
        self.missing = self._said("missing", told.missing, *_not_known(self.label, told), optional=True)
        self.levels = tuple(
            self._said(f"level '{level.value}'", Words(level.en, level.zh), level.value)
            for level in map(_level, told.levels or ())
        )
        self.definition = f"As the lender declares it: {self.label.en}."

    def code(self, code: str, meaning: Words) -> Text:
        """Return what a special code means."""
        return self._said(f"code {code}", meaning, f"{self.label.en} {code}", f"{self.label.zh} {code}")

    def _said(self, what: str, words: Words, en: str, zh: str | None = None, *, optional: bool = False) -> Text:
        """Return words in both languages, those of the other one where one is left out; `en` and `zh` without any."""
        lacking = [language for language, text in (("en", words.en), ("zh", words.zh)) if not text.strip()]
        if lacking and not (optional and len(lacking) == 2):  # noqa: PLR2004 - both left out: the label speaks for it
            self.unsaid.append(f"feature '{self.name}', {what}: {' and '.join(lacking)}")
        given = words.en.strip(), words.zh.strip()
        if zh is None:  # a name: the other language's says more than the column's
            return Text(en=given[0] or given[1] or en, zh=given[1] or given[0] or en)
        return Text(en=given[0] or en, zh=given[1] or zh)


def _not_known(label: Text, told: Declaration) -> tuple[str, str]:
    """Return why a number is missing, as far as the declaration can tell: for one of its codes, or not known at all."""
    meanings = [words for words in told.codes.values() if words.en.strip() or words.zh.strip()]
    en = [words.en.strip() or words.zh.strip() for words in meanings]
    zh = [words.zh.strip() or words.en.strip() for words in meanings]
    in_english = f"{', '.join(en)} or not known" if en else "not known"
    in_chinese = f"{'、'.join(zh)}或未知" if zh else "未知"
    chinese = _is_chinese(label.zh) or any(map(_is_chinese, zh))
    told_all = _with(label, Text(en=in_english, zh=in_chinese if chinese else in_english))
    return told_all.en, told_all.zh


ANOTHER = Text(en="another one than the card tells apart", zh="不在评分卡区分的类别之内")
"""The level of a category that no feature of the card stands for."""
CHINESE = re.compile("[\u4e00-\u9fff]")


def _with(label: Text, value: Text) -> Text:
    """Return what a label says with its value; a label that only has English words keeps English punctuation."""
    return Text(
        en=f"{label.en}: {value.en}",
        zh=f"{label.zh}：{value.zh}" if _is_chinese(label.zh) else f"{label.zh}: {value.zh}",
    )


def _is_chinese(text: str) -> bool:
    return CHINESE.search(text) is not None
