"""Which loans to look at this month: those whose risk rose by the policy, most money first, as many as can be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.words import Text, minor_digits
from models.change import Change
from models.risk_model import Floats
from training.early_warning.alert_policy import POINTS_A_UNIT, AlertPolicy, Rule


@dataclass(frozen=True)
class Alerts:
    """The alerts among loans that were scored at both dates.

    `fired` is rules x loans. `value` is amount at risk x rise of the probability, in minor units. `order` holds the
    places of the loans of which some rule holds, most value first; the first `most` of them are alerts.
    """

    policy: AlertPolicy
    change: Change
    fired: npt.NDArray[np.bool_]
    value: Floats
    order: npt.NDArray[np.intp]
    most: int

    @property
    def chosen(self) -> npt.NDArray[np.intp]:
        """The loans that are alerted, in order of work."""
        return self.order[: self.most]

    @property
    def waiting(self) -> npt.NDArray[np.intp]:
        """The loans of which a rule holds and that the team has no time for."""
        return self.order[self.most :]

    def rules(self, case: int) -> list[Rule]:
        """Return the rules that hold of a loan."""
        return [rule for rule, fired in zip(self.policy.rules, self.fired[:, case], strict=True) if fired]

    def words(self, case: int) -> Text:
        """Return in words why a loan is alerted: the rules that hold."""
        told = [rule.text for rule in self.rules(case)]
        return Text(en="; ".join(one.en for one in told), zh="；".join(one.zh for one in told))


def alerts(change: Change, policy: AlertPolicy, most: int) -> Alerts:
    """Return the alerts of a change between two dates.

    Parameters
    ----------
    most : how many the list may hold; see `AlertPolicy.most_alerts`

    Raises
    ------
    DataRefused : the loans have more than one currency, and their amounts cannot be put in order
    """
    least = policy.exposure.least * 10 ** minor_digits(change.after.currency)
    money = change.after.owed_minor
    fired = np.array([holds(rule, change) for rule in policy.rules]) & (money >= least)
    value = np.asarray(money * change.rise)
    found = np.flatnonzero(fired.any(axis=0))
    loans = change.after.loan_ids
    order = sorted(found.tolist(), key=lambda case: (-value[case], loans[case]))
    return Alerts(policy, change, fired, value, np.array(order, dtype=np.intp), most)


def holds(rule: Rule, change: Change) -> npt.NDArray[np.bool_]:
    """Return of which loans all holds that a rule names; at a threshold it holds.

    Probabilities are compared as they are: no rounding makes an alert or takes one away.
    """
    before, now = change.before.probability, change.after.probability
    told = np.asarray(now > before)
    if rule.factor is not None:
        told &= now >= rule.factor * before
    if rule.points is not None:
        told &= POINTS_A_UNIT * change.rise >= rule.points
    if rule.bands is not None:
        told &= change.bands_down >= rule.bands
    if rule.probability is not None:
        told &= now >= rule.probability
    return told
