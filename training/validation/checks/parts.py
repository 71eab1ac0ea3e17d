"""Do the ability and the willingness part say what their names promise? Neither has a label of its own.

Each is held against what came later and was no outcome of the card: a promise kept or broken, money paid by those who
were reached, hardship that was told. That the parts differ, and that the card loses by one of them being shuffled,
shows that there are two.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.stats import spearmanr

from features.declaration import Group
from features.history import CASE, History
from features.portfolios import Portfolio
from features.promises import GRACE_DAYS, judged
from features.tables import declaration
from features.words import Text
from models.risk_model import Floats
from training.statistics.auc import auc
from training.statistics.metrics import Bools
from training.statistics.paired import auc_difference
from training.validation.check import Check
from training.validation.evidence import Evidence
from training.validation.findings import Figure, Finding
from training.validation.policy import Rule
from training.validation.scored import Scored

Places = npt.NDArray[np.intp]
BLOCKS = (Group.ABILITY, Group.WILLINGNESS)
NOTHING_LATER = Text(
    en="the book holds too little of what came after the observation dates",
    zh="该资产包缺少观察点之后的足够记录",
)
BREAKS = Text(
    en="the willingness part tells who breaks a promise to pay with an AUC of {value}",
    zh="意愿部分识别违背还款承诺者的AUC为{value}",
)
PAYS_LESS = Text(
    en="among those reached, the ability part tells who pays less with an AUC of {value}",
    zh="在已联系到的借款人中，能力部分识别还款较少者的AUC为{value}",
)
FALLS = Text(
    en="the ability part tells who falls into hardship with an AUC of {value}",
    zh="能力部分识别陷入困难者的AUC为{value}",
)
ONE_BLOCK = Text(en="the card has no features of one of the two groups", zh="该评分卡缺少其中一组特征")


@dataclass(frozen=True)
class Later:
    """What was known of some judged cases at the end of their performance windows.

    `frame` has each case of the history, its place among the judged ones and its observation date, `seen_on`.
    """

    history: History
    frame: pl.DataFrame

    @classmethod
    def of(cls, evidence: Evidence, most: int) -> Later | None:
        """Return it for a sample of the cases whose windows had ended by the book's last record; None without any."""
        book, known = evidence.portfolio, evidence.cohort.matrix.cases
        at = evidence.sample(most)
        cases = known[at].select("loan_id", seen_on="observed_on").with_columns(place=pl.Series(at))
        days = f"{evidence.cohort.card.window_days + GRACE_DAYS}d"
        ended = cases.with_columns(observed_on=pl.col("seen_on").dt.offset_by(days)).filter(
            pl.col("observed_on") <= _last_record(book)
        )
        if ended.is_empty():
            return None
        tables = book.tables.of_loans(ended.get_column("loan_id").unique())
        history = History.as_of(
            ended.select("loan_id", "observed_on"), tables, zone=book.zone, allocation=book.allocation
        )
        return cls(history, ended.with_columns(history.cases.get_column(CASE)))

    def happened(self, table: pl.DataFrame, day: str) -> pl.DataFrame:
        """Return the rows of a table of the history that happened after the observation date."""
        seen = self.frame.select(CASE, "seen_on", "place")
        return table.join(seen, on=CASE, how="inner").filter(pl.col(day) > pl.col("seen_on"))

    @property
    def places(self) -> Places:
        """The places of the cases among the judged ones."""
        return self.frame.get_column("place").to_numpy().astype(np.intp)


def _last_record(book: Portfolio) -> date:
    """Return the day of the last record of what happens to loans, where the lender stands."""
    days = [
        frame.select(pl.col("recorded_at").max().dt.convert_time_zone(book.zone).dt.date()).item()
        for name, frame in book.tables.items()
        if declaration(name).happened is not None and frame.height
    ]
    return max(days, default=date.min)


def promise_kept(evidence: Evidence, rule: Rule) -> Finding:
    """Return how well the willingness part tells who would break a promise to pay."""
    later = Later.of(evidence, rule.count("cases"))
    promises = None if later is None else later.history.known.promises
    payments = None if later is None else later.history.known.payments
    if later is None or promises is None or payments is None:
        return rule.unjudged(NOTHING_LATER)
    told = later.happened(judged(promises.lazy(), payments.lazy()).collect(), "due_on")
    broken = told.group_by("place").agg(broken=pl.col("kept").not_().any()).sort("place")
    return _tells(
        evidence,
        rule,
        Group.WILLINGNESS,
        broken.get_column("place").to_numpy().astype(np.intp),
        broken.get_column("broken").to_numpy().astype(np.bool_),
        BREAKS,
    )


def paid_when_reached(evidence: Evidence, rule: Rule) -> Finding:
    """Return how well the ability part tells who paid less of what was at risk, among those who were spoken with."""
    later = Later.of(evidence, rule.count("cases"))
    if later is None or later.history.known.contacts is None:
        return rule.unjudged(NOTHING_LATER)
    contacts = later.history.known.contacts.filter(pl.col("result").cast(pl.String) == "borrower_reached")
    reached = later.happened(contacts, "contacted_on").get_column("place").unique().sort().to_numpy().astype(np.intp)
    known = reached[~np.isnan(evidence.cohort.recovered[reached])]
    share = evidence.cohort.recovered[known]
    less = share <= np.median(share) if len(share) else np.zeros(0, dtype=np.bool_)  # the median may be nothing
    return _tells(
        evidence,
        rule,
        Group.ABILITY,
        known,
        less,
        PAYS_LESS,
    )


def hardship(evidence: Evidence, rule: Rule) -> Finding:
    """Return how well the ability part tells who would tell of hardship within the window."""
    later = Later.of(evidence, rule.count("cases"))
    if later is None or later.history.known.events is None:
        return rule.unjudged(NOTHING_LATER)
    events = later.history.known.events.filter(pl.col("kind").cast(pl.String) == "hardship")
    told = np.zeros(len(evidence), dtype=np.bool_)
    told[later.happened(events, "happened_on").get_column("place").to_numpy().astype(np.intp)] = True
    return _tells(
        evidence,
        rule,
        Group.ABILITY,
        later.places,
        told[later.places],
        FALLS,
    )


def correlation(evidence: Scored, rule: Rule) -> Finding:
    """Return the rank correlation of the two parts: near 1 they would be one construct with two names."""
    ability, willingness = (evidence.parts[group] for group in BLOCKS)
    if not np.ptp(ability) or not np.ptp(willingness):
        return rule.unjudged(ONE_BLOCK)
    return rule.finding(
        [Figure("rank_correlation", float(spearmanr(ability, willingness).statistic))],
        Text(en="the two parts have a rank correlation of {value}", zh="能力与意愿两部分的秩相关为{value}"),
    )


def placebo(evidence: Scored, rule: Rule) -> Finding:
    """Return the AUC that is lost when one part is dealt out anew among the cases: the less of the two losses."""
    dice = np.random.default_rng(evidence.seed)
    figures = []
    for group in BLOCKS:
        part = evidence.parts[group]
        if not np.ptp(part):
            continue
        pairs: list[tuple[Bools, Floats, Floats]] = []
        for bad, at in evidence.parts_of():
            whole = evidence.log_odds[at]
            pairs.append((bad, whole, whole - part[at] + dice.permutation(part[at])))
        lost = auc_difference(pairs)
        figures.append(Figure("auc_lost", lost.auc, lost.low, lost.high, of=group.value))
    if not figures:
        return rule.unjudged(ONE_BLOCK)
    return rule.finding(
        figures,
        Text(en="with the {of} part shuffled the AUC falls by {value}", zh="打乱{of}部分后AUC下降{value}"),
        names={group.value: group.text for group in BLOCKS},
    )


def _tells(evidence: Evidence, rule: Rule, group: Group, at: Places, label: Bools, words: Text) -> Finding:
    """Return the finding on how well a part tells a label, beside how well the other one does."""
    evidence.keep(rule.check.replace(".", "_"), at, label)
    return tells_kept(evidence, rule, group, words)


def tells_kept(evidence: Scored, rule: Rule, group: Group, words: Text) -> Finding:
    """Return the same, from the label of each case that the evidence keeps."""
    told_of = evidence.columns[rule.check.replace(".", "_")]
    at = np.flatnonzero(~np.isnan(told_of))
    label = told_of[at] > 0
    least = rule.count("least_of_each")
    if min(int(label.sum()), int((~label).sum())) < least:
        return rule.unjudged(NOTHING_LATER)
    other = BLOCKS[1 - BLOCKS.index(group)]
    figures = []
    for one in (group, other):
        told = auc(label, evidence.parts[one][at])
        low, high = told.interval()
        figures.append(Figure("auc" if one is group else "auc_of_the_other", told.value, low, high, of=one.value))
    return rule.finding(figures[:1], words, more=[*figures[1:], Figure("cases", float(len(at)))])


CHECKS = (
    Check(
        "parts.promise_kept",
        Text(en="Does willingness tell who keeps a promise?", zh="意愿部分能否识别守诺者"),
        "auc",
        promise_kept,
        ("least_of_each", "cases"),
    ),
    Check(
        "parts.paid_when_reached",
        Text(en="Does ability tell who pays once reached?", zh="能力部分能否识别联系后还款者"),
        "auc",
        paid_when_reached,
        ("least_of_each", "cases"),
    ),
    Check(
        "parts.hardship",
        Text(en="Does ability tell who falls into hardship?", zh="能力部分能否识别陷入困难者"),
        "auc",
        hardship,
        ("least_of_each", "cases"),
    ),
    Check(
        "parts.correlation",
        Text(en="Are ability and willingness two things?", zh="能力与意愿是否为两个概念"),
        "rank_correlation",
        correlation,
    ),
    Check(
        "parts.placebo",
        Text(en="Is each part worth something?", zh="各部分是否有区分价值"),
        "auc_lost",
        placebo,
    ),
)
