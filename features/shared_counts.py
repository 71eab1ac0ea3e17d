"""Which sums, counts, firsts and lasts the features' formulas ask for, each written down once.

A formula is a Polars expression. Its sums and counts are taken out of it, to be found in loops over rows that stand
together by case (`features.counting`), and put back as columns; the arithmetic on rows and on the results stays with
Polars. What cannot be taken apart is left to Polars whole. Evaluating each formula by itself took three times as long:
Polars counts the same rows again for every feature.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import polars as pl

Node = dict[str, Any]
"""A node of an expression as Polars writes it in JSON."""

ON_EACH_ROW = frozenset(
    {"FillNull", "Negate", "Abs", "MinHorizontal", "MaxHorizontal", "Coalesce", "Boolean", "Clip", "TemporalExpr"}
)
"""Functions that give each row its value from that row alone, by Polars' names for them."""
OF_TRUTH = frozenset({"Not", "IsNull", "IsNotNull"})
"""Those of them that speak of true and false; the others join rows."""
KEEPS_MISSING = frozenset({"Plus", "Minus", "Multiply", "Eq", "NotEq", "Gt", "GtEq", "Lt", "LtEq"})
"""Operations on two values whose result is missing just where one of them is."""
HOW = {"Sum": "sum", "First": "first", "Last": "last", "Min": "least", "Max": "most", "NUnique": "distinct"}
"""What is asked, by Polars' names."""


class _Whole(Exception):
    """An expression that is not taken apart."""


VALUE, MARK = "value{}", "mark{}"
"""What the columns of a plan's values and marks are called, by their places."""


@dataclass(frozen=True)
class Asked:
    """One number wanted of each case's rows: which, of what value, of which rows.

    how : sum, count, first, last, least, most, any, distinct; streak: how many come after the last true or not 0
    value, mark : places in the plan's lists of values and marks; no mark is every row
    head : only so many of the rows that are marked, the first ones
    known : only rows with a value
    back : how many rows before the last, for last
    """

    how: str
    value: int
    mark: int | None
    head: int | None
    known: bool
    back: int = 0

    def expression(self) -> pl.Expr:
        """Return what is asked as Polars finds it, over the columns of `Plan.on_rows`."""
        rows = pl.col(VALUE.format(self.value))
        if self.mark is not None:
            rows = rows.filter(pl.col(MARK.format(self.mark)))
        if self.head is not None:
            rows = rows.head(self.head)
        if self.known:
            rows = rows.drop_nulls()
        if self.how == "streak":
            return ((rows != 0).cum_sum(reverse=True) == 0).sum()
        return {
            "sum": rows.sum,
            "count": rows.len,
            "first": rows.first,
            "last": rows.shift(self.back).last if self.back else rows.last,
            "least": rows.min,
            "most": rows.max,
            "any": rows.any,
            "distinct": rows.n_unique,
        }[self.how]()


@dataclass(frozen=True)
class _Rows:
    """A value on each row and the rows that were chosen."""

    value: Node
    mark: Node | None = None
    head: int | None = None
    known: bool = False
    back: int = 0

    @property
    def all_there(self) -> bool:
        """Whether no row was left out."""
        return self.mark is None and self.head is None and not self.known and not self.back


@dataclass
class Plan:
    """What is wanted of a view's rows for some features.

    values, marks : expressions over rows; asked : the numbers over each case; results : each feature's expression over
    columns `0`, `1`, ... that hold these numbers; whole : features that are left to Polars
    """

    values: list[pl.Expr] = field(default_factory=list)
    marks: list[pl.Expr] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    results: list[pl.Expr] = field(default_factory=list)
    whole: list[pl.Expr] = field(default_factory=list)

    @classmethod
    def of(cls, expressions: Iterable[pl.Expr]) -> Plan:
        """Return the plan of features' expressions, each an aggregate over one case's rows."""
        plan, places = cls(), dict[str, int]()
        for expression in expressions:
            try:
                result = _written(plan._lifted(_read(expression), places))
            except _Whole:
                plan.whole.append(expression)
            else:
                plan.results.append(result)
        return plan

    @cached_property
    def on_rows(self) -> list[pl.Expr]:
        """The values and marks as columns; a row whose mark is not known is not chosen."""
        marks = [mark.fill_null(value=False).alias(MARK.format(place)) for place, mark in enumerate(self.marks)]
        return [value.alias(VALUE.format(place)) for place, value in enumerate(self.values)] + marks

    @cached_property
    def numbers(self) -> list[pl.Expr]:
        """The numbers that are asked as Polars finds them, and the features that are left to it."""
        return [asked.expression().alias(str(place)) for place, asked in enumerate(self.asked)] + self.whole

    @cached_property
    def features(self) -> list[pl.Expr]:
        """Each feature over the columns of `numbers`."""
        return [*self.results, *(pl.col(formula.meta.output_name()) for formula in self.whole)]

    def _lifted(self, node: Node, places: dict[str, int]) -> Node:
        """Return a node with each sum or count in it replaced by the column that will hold it."""
        reduction = _reduction(node)
        if reduction is not None:
            how, rows = reduction
            asked = Asked(
                how,
                self._place(rows.value, self.values, "value", places),
                None if rows.mark is None else self._place(rows.mark, self.marks, "mark", places),
                rows.head,
                rows.known,
                rows.back,
            )
            if asked not in self.asked:
                self.asked.append(asked)
            return {"Column": str(self.asked.index(asked))}
        if "Literal" in node:
            return node
        return _with_children(node, [self._lifted(child, places) for child in _children(node)])

    def _place(self, node: Node, among: list[pl.Expr], kind: str, places: dict[str, int]) -> int:
        key = kind + json.dumps(node)
        if key not in places:
            places[key] = len(among)
            among.append(_written(node))
        return places[key]


# Taking an expression apart


def _reduction(node: Node) -> tuple[str, _Rows] | None:
    """Return what a node asks of each case's rows, and of which; None when it asks nothing."""
    if "Function" in node and node["Function"]["function"] == {"Boolean": {"Any": {"ignore_nulls": True}}}:
        return "any", _rows(node["Function"]["input"][0])
    if "Agg" not in node:
        return None
    ((kind, told),) = node["Agg"].items()
    if kind == "Count":
        rows = _rows(told["input"])
        return "count", (rows if told["include_nulls"] else replace(rows, known=True))
    if kind == "Sum" and (since := _since_last(told)) is not None:
        return "streak", since
    rows = _rows(told["input"] if "propagate_nans" in told else told)
    if kind not in HOW or (rows.back and kind != "Last") or told.get("propagate_nans"):
        raise _Whole
    return HOW[kind], rows


def _since_last(node: Node) -> _Rows | None:
    """Return the rows of which those after the last one that is not 0 are marked: sums counted from the end are 0."""
    try:
        compared = node["BinaryExpr"]
        summed, from_the_end = compared["left"]["Function"], {"CumSum": {"reverse": True}}
        if compared["op"] != "Eq" or summed["function"] != from_the_end or _whole_number(compared["right"]) != 0:
            return None
    except KeyError:
        return None
    return _rows(summed["input"][0])


def _rows(node: Node) -> _Rows:
    """Return the value and the choice of rows that a node stands for."""
    if _on_each_row(node):
        return _Rows(node)
    if "Filter" in node:
        rows, mark = _rows(node["Filter"]["input"]), node["Filter"]["by"]
        if not rows.all_there or not _on_each_row(mark):
            raise _Whole
        return replace(rows, mark=mark)
    if "Slice" in node:
        rows, offset = _rows(node["Slice"]["input"]), _whole_number(node["Slice"]["offset"])
        if offset != 0 or rows.head is not None or rows.known or rows.back:
            raise _Whole
        return replace(rows, head=_whole_number(node["Slice"]["length"]))
    if "Function" in node and node["Function"]["function"] in ("DropNulls", "Shift"):
        told = node["Function"]
        rows = _rows(told["input"][0])
        if rows.back:
            raise _Whole
        if told["function"] == "DropNulls":
            return replace(rows, known=True)
        back = _whole_number(told["input"][1])
        if back < 0:
            raise _Whole
        return replace(rows, back=back)
    return _of_an_operation(node)


def _of_an_operation(node: Node) -> _Rows:
    """Return the choice of an operation's rows for an operation on chosen rows, where all of it chooses alike."""
    children = _children(node)
    chosen = {place: _rows(child) for place, child in enumerate(children) if not _on_each_row(child)}
    whole = [child for child in children if _on_each_row(child) and "Literal" not in child]
    first, *others = chosen.values()
    # After rows without a value are left out, an operation may make values of nothing, or nothing of values.
    alike = all(replace(rows, value=first.value) == first for rows in others)
    if whole or not alike or first.back or (first.known and not _keeps_missing(node)):
        raise _Whole
    values = [chosen[place].value if place in chosen else child for place, child in enumerate(children)]
    return replace(first, value=_with_children(node, values))


def _keeps_missing(node: Node) -> bool:
    """Return whether an operation's value is missing just where one of its own values is."""
    return "Cast" in node or ("BinaryExpr" in node and node["BinaryExpr"]["op"] in KEEPS_MISSING)


def _on_each_row(node: Node) -> bool:
    """Return whether a node's value on a row depends on that row alone."""
    if "Column" in node or "Literal" in node:
        return True
    try:
        return all(_on_each_row(child) for child in _children(node))
    except _Whole:
        return False


def _children(node: Node) -> list[Node]:
    """Return the nodes that an operation on rows is made of."""
    ((kind, told),) = node.items()
    if kind == "BinaryExpr":
        return [told["left"], told["right"]]
    if kind == "Ternary":
        return [told["predicate"], told["truthy"], told["falsy"]]
    if kind == "Cast":
        return [told["expr"]]
    if kind == "Alias":
        return [told[0]]
    if kind == "Function" and _is_on_each_row(told["function"]):
        return list(told["input"])
    raise _Whole


def _with_children(node: Node, children: list[Node]) -> Node:
    ((kind, told),) = node.items()
    if kind == "BinaryExpr":
        return {kind: {**told, "left": children[0], "right": children[1]}}
    if kind == "Ternary":
        return {kind: {"predicate": children[0], "truthy": children[1], "falsy": children[2]}}
    if kind == "Cast":
        return {kind: {**told, "expr": children[0]}}
    if kind == "Alias":
        return {kind: [children[0], *told[1:]]}
    return {kind: {**told, "input": children}}


def _is_on_each_row(function: Any) -> bool:
    name, told = (function, None) if isinstance(function, str) else next(iter(function.items()))
    return name in ON_EACH_ROW and (name != "Boolean" or (isinstance(told, str) and told in OF_TRUTH))


def _whole_number(node: Node) -> int:
    try:
        return int(node["Literal"]["Dyn"]["Int"])
    except (KeyError, TypeError):
        raise _Whole from None


def _read(expression: pl.Expr) -> Node:
    node: Node = json.loads(expression.meta.serialize(format="json"))
    return node


def _written(node: Node) -> pl.Expr:
    """Return the expression that a node writes, where it is the same to the last digit."""
    try:
        expression = pl.Expr.deserialize(io.StringIO(json.dumps(node)), format="json")
    except pl.exceptions.ComputeError:  # JSON has no infinity
        raise _Whole from None
    if _read(expression) != node:
        raise _Whole
    return expression
