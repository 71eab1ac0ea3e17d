"""Does the card answer sensibly whatever it is given: values pushed, a whole group unknown, corners nobody has seen?"""

from __future__ import annotations

import numpy as np

from features.declaration import Group
from features.words import Text
from models.risk_model import Floats, RiskModel
from training.statistics.metrics import discrimination
from training.validation.check import Check, Needs
from training.validation.evidence import Evidence
from training.validation.findings import Figure, Finding, Table
from training.validation.policy import Rule

FAR = 1e12
"""Beyond any amount that a lender sends in minor units, and still a number that every table may hold."""


def one_sd(evidence: Evidence, rule: Rule) -> Finding:
    """Return how many probabilities are impossible when a feature is pushed by a standard deviation, and the moves."""
    model, catalog = evidence.card.model, evidence.card.catalog
    base = evidence.values[evidence.sample(rule.count("rows"))]
    before = _log_odds(model, base)
    wrong, rows = 0, []
    for column, feature in enumerate(catalog):
        known = evidence.values[:, column][~np.isnan(evidence.values[:, column])]
        spread = float(known.std()) if len(known) else 0.0
        moves = []
        for side in (-1, 1):
            pushed = base.copy()
            pushed[:, column] += side * spread
            after = _log_odds(model, pushed)
            wrong += _impossible(after)
            moves.append(after - before)
        down, up = moves
        most = float(max(np.abs(down).max(), np.abs(up).max()))
        rows.append((feature.name, spread, float(down.mean()), float(up.mean()), most))
    rows.sort(key=lambda row: -row[-1])
    return rule.finding(
        [Figure("impossible", float(wrong), of=rows[0][0])],
        Text(
            en="{value} impossible probabilities; one standard deviation of this moves a score most: {of}",
            zh="{value}个概率无效；变动一个标准差对评分影响最大的是：{of}",
        ),
        names=evidence.labels,
        more=[Figure("largest_move", rows[0][-1], of=rows[0][0])],
        tables=[
            Table.of(
                "features",
                Text(
                    en="Log-odds moved by one standard deviation down and up",
                    zh="各特征下移、上移一个标准差的对数几率变化",
                ),
                ("feature", "standard_deviation", "mean_down", "mean_up", "largest"),
                rows,
            )
        ],
    )


def missing(evidence: Evidence, rule: Rule) -> Finding:
    """Return how many probabilities are impossible when a group's features are unknown, and what the order loses."""
    model, catalog = evidence.card.model, evidence.card.catalog
    at = evidence.sample(rule.count("rows"))
    base, bad = evidence.values[at], evidence.bad[at]
    whole = _log_odds(model, base)
    wrong, rows = 0, []
    for group in Group:
        columns = [column for column, feature in enumerate(catalog) if feature.group is group]
        if not columns:
            continue
        without = base.copy()
        without[:, columns] = np.nan
        after = _log_odds(model, without)
        wrong += _impossible(after)
        lost = discrimination(bad, whole).auc - discrimination(bad, after).auc
        rows.append((group.value, len(columns), float((after - whole).mean()), lost))
    nothing = _log_odds(model, np.full((1, len(catalog)), np.nan))
    wrong += _impossible(nothing)
    return rule.finding(
        [Figure("impossible", float(wrong))],
        Text(
            en="{value} impossible probabilities when a group of features, or all, cannot be known",
            zh="某组或全部特征缺失时，{value}个概率无效",
        ),
        more=[Figure("log_odds_of_nothing_known", float(nothing[0]))],
        tables=[
            Table.of(
                "groups",
                Text(en="When a group's features cannot be known", zh="某组特征缺失时"),
                ("group", "features", "mean_move", "auc_lost"),
                rows,
            )
        ],
    )


def corners(evidence: Evidence, rule: Rule) -> Finding:
    """Return how many of many inputs that nobody has seen give an impossible probability."""
    draws, block = rule.count("draws"), 50_000
    dice = np.random.default_rng(evidence.seed)
    low, high = _ends(evidence.values)
    wrong, least, most = 0, np.inf, -np.inf
    for begin in range(0, draws, block):
        drawn = _corner(dice, min(block, draws - begin), low, high)
        told = _log_odds(evidence.card.model, drawn)
        wrong += _impossible(told)
        least, most = min(least, float(told.min())), max(most, float(told.max()))
    return rule.finding(
        [Figure("impossible", float(wrong))],
        Text(
            en=f"{{value}} of {draws:,} inputs at the corners give an impossible probability",
            zh=f"{draws:,}组极端输入中有{{value}}组概率无效",
        ),
        more=[Figure("least_log_odds", least), Figure("most_log_odds", most)],
    )


def _ends(values: Floats) -> tuple[Floats, Floats]:
    known = np.where(np.isnan(values).all(axis=0), 0.0, values)
    return np.nanmin(known, axis=0), np.nanmax(known, axis=0)


def _corner(dice: np.random.Generator, rows: int, low: Floats, high: Floats) -> Floats:
    """Return rows whose values are the least or the most seen, between, unknown, 0, or far beyond."""
    shape = (rows, len(low))
    drawn = low + dice.random(shape) * (high - low)
    kind = dice.integers(0, 7, shape)
    # In place, one after the other: np.choose takes two to three times as long.
    choices: dict[int, Floats | float] = {0: low, 1: high, 3: np.nan, 4: 0.0, 5: FAR, 6: -FAR}
    for number, choice in choices.items():
        np.copyto(drawn, choice, where=kind == number)
    return drawn


def _log_odds(model: RiskModel, values: Floats) -> Floats:
    return model.calibration_.log_odds(model.tables_.scores(values))


def _impossible(log_odds: Floats) -> int:
    with np.errstate(over="ignore"):
        probability = 1 / (1 + np.exp(-log_odds))
    return int((~np.isfinite(log_odds) | ~(probability > 0) | ~(probability < 1)).sum())


CHECKS = (
    Check(
        "sensitivity.one_sd",
        Text(en="Is the probability possible when a feature is pushed?", zh="特征变动时概率是否有效"),
        "impossible",
        one_sd,
        ("rows",),
        Needs.NOTHING,
    ),
    Check(
        "sensitivity.missing",
        Text(en="Is the probability possible when a group is unknown?", zh="某组特征缺失时概率是否有效"),
        "impossible",
        missing,
        ("rows",),
        Needs.NOTHING,
    ),
    Check(
        "sensitivity.corners",
        Text(en="Is the probability possible at corners nobody has seen?", zh="极端输入下概率是否有效"),
        "impossible",
        corners,
        ("draws",),
        Needs.NOTHING,
    ),
)
