"""What to know before a score is used: of its loan, of what was sent, and of what could not be taken as it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from features.declaration import Feature
from features.declared import unlisted
from features.history import CASE, History
from features.words import Text, written_money
from models.fitted_card import FittedCard
from models.risk_model import Floats

NO_FACTS = Text(en="none of the lender's own facts is known of this loan", zh="没有该借据的自有数据")
UNLISTED = Text(
    en="{label}: the value is none of those the card knows; it counts as not known",
    zh="{label}：取值不在模型已知的类别之中，按未知处理",
)
NONE_OF_THEM = Text(
    en="{label}: the value is none of those the card knows; it counts as another one",
    zh="{label}：取值不在模型已知的类别之中，按其他类别处理",
)
IMPOSSIBLE = Text(
    en="{label}: {value} is not possible; it counts as it was sent",
    zh="{label}：{value}不可能出现，仍按报送值计算",
)

UNHEARD_OF = Text(
    en="{label}: {value} is far from what the card was fitted on; check the figure and its unit",
    zh="{label}：{value}远离评分卡拟合时的取值，请核对数值与单位",
)
FAR = 10
"""How many times what nearly all loans have is far: minor units in place of whole ones are a hundred times too many."""


def remarks(history: History, model: FittedCard) -> list[list[Text]]:
    """Return what there is to say of each case besides its features: its population, and categories nobody declared."""
    found: dict[int, list[Text]] = {case: [] for case in history.cases.get_column(CASE)}
    for case, belongs in zip(found, model.card.members(history).tolist(), strict=True):
        if not belongs:
            found[case].append(_stranger(model.card.title))
    facts = history.known.facts
    if model.needed:
        known = set() if facts is None else set(facts.get_column(CASE))
        for case in found.keys() - known:
            found[case].append(NO_FACTS)
    if facts is not None:
        by_case = facts.group_by(CASE, maintain_order=True)
        for feature in unlisted(model.declared, model.catalog.names):
            note = (NONE_OF_THEM if feature.each else UNLISTED).filled(label=feature.label)
            for case in by_case.agg(mark=feature.mark).filter(pl.col("mark")).get_column(CASE):
                found[case].append(note)
    return list(found.values())


def strange_figures(
    features: tuple[Feature, ...], values: Floats, currencies: Sequence[str], ranges: Mapping[str, Sequence[float]]
) -> list[list[Text]]:
    """Return each case's figures of the lender's own that their unit does not allow, or that the card has hardly met.

    Parameters
    ----------
    values : cases x features, in catalog order
    ranges : between which figures nearly all loans lay that the card was fitted on, by feature
    """
    found: list[list[Text]] = [[] for _ in values]
    for feature, column in zip(features, values.T, strict=True):
        if not feature.reads:
            continue
        least, most = feature.unit.bounds
        low, high = ranges.get(feature.name, (-np.inf, np.inf))
        impossible = (column < least) | (column > most)
        far = (column < 0 if low >= 0 else False) | (column > FAR * high if high > 0 else False)
        for case in np.flatnonzero(impossible | far).tolist():
            figure = {"label": feature.label, "value": feature.written(float(column[case]), currencies[case])}
            found[case].append((IMPOSSIBLE if impossible[case] else UNHEARD_OF).filled(**figure))
    return found


def counted_as(counted: int, currency: str) -> Text:
    """Return how a loan is counted on which less than the policy's least amount is owed."""
    least = written_money(counted, currency)
    return Text(
        en=f"nothing, or less than {least}, is owed on the last statement known; counted as {least}",
        zh=f"已知的最近一期账单没有欠款或欠款低于{least}，按{least}计",
    )


def _stranger(title: Text) -> Text:
    return Text(
        en=f"this loan is not of the population the model was fitted for ({title.en}); read with care",
        zh=f"该借据不属于模型的适用客群（{title.zh}），请谨慎使用",
    )
