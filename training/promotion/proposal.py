"""Whether a version may take the place of the one that serves: every question that a promotion asks, and no change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from features.errors import ModelRefused, UsageError
from features.portfolios import Portfolio
from features.words import Text
from models.champions import ConflictingChampion, Standing
from models.fitted_card import FittedCard
from models.policy import Policy, default_policy
from models.store import ModelStore
from models.trial import load_tried
from training.principals import TRAINED_BY, alike, named
from training.promotion import notes as words
from training.promotion.policy import PromotionRules
from training.promotion.record import Kind, digest_of, took_effect
from training.promotion.words import VALIDATED
from training.validation.result import RESULT, Result
from training.validation.standing import folder_of, require_passed, standing

FORMAT = "repayrank-swap-sets/1"
LONGEST_REASON = 200


@dataclass(frozen=True)
class Proposal:
    """A change of the champion that may be made.

    Attributes
    ----------
    expected : what serves, as it was found; the change is made only where it still does
    sets : the swap sets as plain data; None where there are none
    portfolio, policy : what the swap sets were made with
    notes : what to know of it, in sentences of both languages
    """

    kind: Kind
    card: str
    version: str
    expected: Standing
    by: str
    reason: str
    trained_by: str
    own: Result | None
    validation: str
    rules: PromotionRules
    undoes: int | None = None
    undone_by: str = ""
    sets: dict[str, Any] | None = None
    portfolio: str = ""
    policy: str = ""
    notes: tuple[Text, ...] = ()


def promotion(
    store: ModelStore,
    card: str,
    version: str,
    *,
    by: str,
    rules: PromotionRules,
    book: Callable[[], Portfolio] | None,
    policy: Policy | None = None,
    reason: str = "",
    expected: int | None = None,
) -> Proposal:
    """Return a promotion that may be made.

    Parameters
    ----------
    by : who promotes
    book : opens the one that the version was validated on, for the swap sets, once all else holds; None: without swap
        sets, and then with a reason where a version serves
    policy : the score policy of the swap sets; the shipped one by default
    expected : the number of the change that the caller saw last

    Raises
    ------
    ModelRefused : the version is not validated, is refused, does not verify or ends the process that loads it, serves
        already, or was trained by whoever promotes it
    ConflictingChampion : there was another change
    """
    who = named(by, "promotes")
    now = _standing(store, card, expected)
    why_ = _reason(reason, needed=book is None and now.version is not None)
    if now.version == version:
        raise ModelRefused(
            f"the {card} card, version {version}, serves already",
            where=str(store.root),
            expected="a version that does not serve",
            do="name a challenger with --version; --history shows who made it champion",
        )
    challenger = load_tried(store, card, version)
    own = require_passed(store, card, version).own
    assert own is not None, "a version that passed has a validation of its own"
    trained_by = _trainer(challenger)
    _require_principals(challenger, who, trained_by, own, rules)
    sets, notes, portfolio = None, list[Text](), ""
    score_policy = policy or default_policy()
    if book is not None and now.version is not None:
        opened = book()
        champion = _champion(store, card, now.version)
        sets, notes = _sets(store, champion, challenger, opened, own, score_policy, rules)
        portfolio = opened.name
    return Proposal(
        kind=Kind.PROMOTED,
        card=card,
        version=version,
        expected=now,
        by=who,
        reason=why_ or VALIDATED.filled(by=own.by, day=own.at[:10], verdict=own.verdict.text).en,
        trained_by=trained_by,
        own=own,
        validation=digest_of((folder_of(store, card, version) / RESULT).read_bytes()),
        rules=rules,
        sets=sets,
        portfolio=portfolio,
        policy="" if sets is None else score_policy.digest,
        notes=tuple(notes),
    )


def rollback(
    store: ModelStore,
    card: str,
    *,
    by: str,
    reason: str,
    rules: PromotionRules,
    version: str | None = None,
    expected: int | None = None,
) -> Proposal:
    """Return a rollback that may be made: to what served before the last change, whatever kind of change that was.

    Parameters
    ----------
    version : another one that was champion before

    Raises
    ------
    ModelRefused : nothing served before, the version never was champion or is not what it was, or does not load
    ConflictingChampion : there was another change
    """
    who, why_ = named(by, "rolls back"), _reason(reason, needed=True)
    now = _standing(store, card, expected)
    history = took_effect(store, card)
    last = history[-1] if history else None
    by_hand = last is None or last.version != now.version
    before = None if last is None else last.version if by_hand else last.before
    chosen = version or before
    served = [line for line in history if line.version == chosen]
    if chosen is None or not served or (chosen == now.version and not by_hand):
        raise ModelRefused(
            f"version {chosen} never was champion" if chosen and not served else "nothing to go back to",
            where=f"the history of the {card} card",
            expected="a version that served before and does not now",
            do="look at `repayrank promote --history`; a version that never served is promoted",
        )
    if served[-1].manifest not in {None, store.digest(card, chosen)}:
        raise ModelRefused(
            f"version {chosen} is not what it was when it served",
            where=str(store.folder(card, chosen)),
            expected="the files that the history names by the SHA-256 of their manifest",
            do="bring the version's folder back from a copy",
        )
    fitted = load_tried(store, card, chosen)
    known, notes = _validation_of(store, card, chosen)
    return Proposal(
        kind=Kind.ROLLED_BACK,
        card=card,
        version=chosen,
        expected=now,
        by=who,
        reason=why_,
        trained_by=str(fitted.provenance.get(TRAINED_BY, "")),
        own=known,
        validation="" if known is None else digest_of((folder_of(store, card, chosen) / RESULT).read_bytes()),
        rules=rules,
        undoes=None if last is None or by_hand else last.generation,
        undone_by="" if last is None or by_hand else last.by,
        notes=notes,
    )


def _standing(store: ModelStore, card: str, expected: int | None) -> Standing:
    now = store.standing(card)
    if expected is not None and expected != now.generation:
        raise ConflictingChampion(
            f"change {now.generation} made version {now.version} the champion",
            where=f"the history of the {card} card",
            expected=f"change {expected}, as when it was looked at",
            do="look at what serves now, and promote again if the version is still better",
        )
    return now


def _champion(store: ModelStore, card: str, version: str) -> FittedCard:
    """Return the version that serves, or refuse with what to do where it cannot be compared with any other."""
    try:
        return load_tried(store, card, version)
    except ModelRefused as error:
        raise ModelRefused(
            f"the version that serves cannot be loaded to be compared: {error.found}",
            where=error.where,
            expected=error.expected,
            do="promote with --without-swap-sets and a --reason, or go back with --rollback",
        ) from error


def _trainer(fitted: FittedCard) -> str:
    who = str(fitted.provenance.get(TRAINED_BY, ""))
    if not who:
        raise ModelRefused(
            "a version that does not say who trained it",
            where=f"the {fitted.card.name} card, version {fitted.version}",
            expected="a trainer on record, who is another principal than the promoter",
            do="train it again with this release, with --by",
        )
    return who


def _require_principals(fitted: FittedCard, by: str, trained_by: str, own: Result, rules: PromotionRules) -> None:
    """Refuse one principal in two places that the rules keep apart."""
    if alike(by, trained_by):
        raise _one_principal(fitted, "promotes", "trained it", "somebody else")
    if not rules.principals.validator_may_train and alike(own.by, trained_by):
        raise _one_principal(fitted, "validated", "trained it", "a validation by somebody else")
    if not rules.principals.promoter_may_validate and alike(by, own.by):
        raise _one_principal(fitted, "promotes", "validated it", "somebody else")


def _one_principal(fitted: FittedCard, deed: str, other: str, wanted: str) -> ModelRefused:
    return ModelRefused(
        f"who {deed} the version also {other}",
        where=f"the {fitted.card.name} card, version {fitted.version}",
        expected="two principals",
        do=f"ask for {wanted}, named with --by; case and spaces make no other name",
    )


def _sets(
    store: ModelStore,
    champion: FittedCard,
    challenger: FittedCard,
    book: Portfolio,
    own: Result,
    policy: Policy,
    rules: PromotionRules,
) -> tuple[dict[str, Any], list[Text]]:
    # Imported here: a rollback, which needs none of it, must not wait for it.
    from training.promotion.compared import compared
    from training.promotion.swap_sets import swap_sets
    from training.promotion.why import why

    of = compared(store, champion, challenger, book, own, policy)
    share = rules.work_list.first_share
    told = {
        "format": FORMAT,
        "card": own.card,
        "before": champion.version,
        "after": challenger.version,
        "cases": len(of),
        "first_share": share,
        "bands": [band.name for band in policy.bands],
        "currency": of.after.currency,
        "known_before": of.known_before,
        "sets": swap_sets(of, first_share=share).to_dicts(),
        "why": why(of, first_share=share).to_dicts(),
    }
    notes = [words.KNEW.filled(known=f"{of.known_before:,}", cases=f"{len(of):,}")]
    if of.unseen is None:
        notes.append(words.NO_UNSEEN)
    return told, notes


def _validation_of(store: ModelStore, card: str, version: str) -> tuple[Result | None, tuple[Text, ...]]:
    """Return the validation of a version that goes back, with what to know of it: it needs none, and may have one."""
    try:
        found = standing(store, card, version)
    except ModelRefused as error:
        return None, (words.NOT_COUNTED.filled(found=error.found),)
    if found.own is None:
        return None, (words.NEVER_VALIDATED,)
    if not found.passed:
        return found.own, (words.REFUSED_BY.filled(checks=", ".join(found.refused_by)),)
    return found.own, ()


def _reason(reason: str, *, needed: bool) -> str:
    told = reason.strip()
    if (needed and not told) or len(told) > LONGEST_REASON or not told.isprintable():
        raise UsageError(
            "no reason that can be written down",
            where="--reason",
            expected=f"one line of at most {LONGEST_REASON} characters that names no person",
            do="say why, for the record",
        )
    return told
