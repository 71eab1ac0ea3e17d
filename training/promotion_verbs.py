"""`repayrank promote`: which version serves from now on, and back again in one command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from features.errors import UsageError
from features.words import Text
from models.terminal import say_both, tell_both
from models.verb_options import (
    DEFAULT_HOME,
    CardOption,
    DataOption,
    HomeOption,
    PortfolioOption,
    ZoneOption,
    open_book,
    require_card,
    require_folder,
)
from training.terminal import console

if TYPE_CHECKING:
    from features.portfolios import Portfolio
    from models.store import ModelStore
    from training.promotion.policy import PromotionRules
    from training.promotion.proposal import Proposal

Posting = Callable[[Path], Callable[[Mapping[str, Any]], object] | None]
"""Returns what leaves an event for the decision log of a state folder; None where there is no log."""


def promoting(posting: Posting) -> Callable[..., None]:
    """Return the verb, which tells the decision log through what the command line gives it."""

    def promote(
        card: CardOption = None,
        version: Annotated[
            str | None,
            typer.Option("--version", help="The version that is to serve; with --rollback, an earlier champion."),
        ] = None,
        by: Annotated[
            str | None, typer.Option("--by", help="Who promotes, by name or role; not who trained the version.")
        ] = None,
        portfolio: PortfolioOption = "",
        reason: Annotated[str, typer.Option("--reason", help="Why, for the record; name no person.")] = "",
        rollback: Annotated[
            bool, typer.Option("--rollback", help="Back to the version that served before the last change.")
        ] = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Show everything and change nothing.")] = False,
        history: Annotated[bool, typer.Option("--history", help="Print every change of the card's champion.")] = False,
        mirror: Annotated[
            bool,
            typer.Option("--mirror", help="Finish what an earlier change left undone, and tell MLflow what serves."),
        ] = False,
        expected: Annotated[
            int | None,
            typer.Option("--expected", min=0, help="Number of the last change that you saw; a later one refuses this."),
        ] = None,
        without_swap_sets: Annotated[
            bool,
            typer.Option("--without-swap-sets", help="Promote without showing who goes up and down; needs --reason."),
        ] = False,
        data: DataOption = None,
        home: HomeOption = DEFAULT_HOME,
        state: Annotated[
            Path | None,
            typer.Option("--state", envvar="REPAYRANK_STATE", help="Folder of the service's log; the home by default."),
        ] = None,
        policy: Annotated[
            Path | None,
            typer.Option(
                "--policy",
                envvar="REPAYRANK_POLICY",
                help="The policy of bands and losses; the shipped one by default.",
            ),
        ] = None,
        rules: Annotated[
            Path | None,
            typer.Option(
                "--rules", envvar="REPAYRANK_PROMOTION_RULES", help="Rules of promotion; the shipped ones by default."
            ),
        ] = None,
        zone: ZoneOption = None,
    ) -> None:
        """Let a validated version serve, after showing who goes up and who goes down; or go back with `--rollback`.

        The trainer and the promoter are two principals. A promotion that was decided while another was made is refused.
        The signed record lies in HOME/promotions/CARD, in the decision log and, as a mirror, in MLflow.

        Example: `repayrank promote --portfolio taiwan --card collection --version 2 --by "head of risk"`
        """
        from models.store import ModelStore
        from training.promotion import notes
        from training.promotion.policy import read_rules
        from training.promotion.promote import finish, promote, repair

        _require_one({"--rollback": rollback, "--history": history, "--mirror": mirror})
        _require_one({"--dry-run": dry_run, "--mirror": mirror})
        require_card(card)
        require_folder(home)
        store = ModelStore(home)
        book = _Book(portfolio, zone, data)
        named = card or book.card
        if history:
            _show_history(store, named)
            return
        read, post = read_rules(rules), posting(state or home)
        if not dry_run:
            repair(store, named, post=post, say=say_both, tell=not (rollback or mirror))
        if mirror:
            finish(store, named, post=post, say=say_both, always=True)
            tell_both(notes.AS_IT_DID.filled(version=store.champion(named), card=named))
            return
        proposal = (
            _rollback(store, named, version, by, reason, read, expected)
            if rollback
            else _promotion(store, named, version, by, reason, read, expected, policy, book, without_swap_sets)
        )
        _show(store, proposal, read)
        if dry_run:
            seen = f"--expected {proposal.expected.generation}"
            tell_both(notes.DRY_RUN.filled(change=_change(proposal), seen=seen))
            return
        done = promote(store, proposal, post=post, say=say_both)
        if post is None:
            say_both(notes.NO_LOG.filled(folder=str(state or home)))
        number, folder = done.record.generation, str(done.folder)
        tell_both(notes.DONE.filled(change=_change(proposal), number=number, folder=folder))

    return promote


class _Book:
    """The book that is named, opened when it is asked for."""

    def __init__(self, portfolio: str, zone: str | None, data: Path | None) -> None:
        self.portfolio, self._zone, self._data = portfolio, zone, data
        self._opened: Portfolio | None = None

    @property
    def card(self) -> str:
        """The card that the book is meant for."""
        if not self.portfolio:
            raise _missing("--card", "the card whose version is to serve")
        return self.opened().card

    def opened(self) -> Portfolio:
        """Return the book."""
        if self._opened is None:
            self._opened = open_book(self.portfolio, self._zone, self._data)
        return self._opened


def _promotion(
    store: ModelStore,
    card: str,
    version: str | None,
    by: str | None,
    reason: str,
    rules: PromotionRules,
    expected: int | None,
    policy: Path | None,
    book: _Book,
    without: bool,
) -> Proposal:
    from models.policy import read_policy
    from training.promotion.proposal import promotion

    if version is None:
        raise _missing("--version", "the version that is to serve")
    if by is None:
        raise _missing("--by", "the name or role of who promotes")
    if without and book.portfolio:
        raise UsageError(
            "a book, and that it is not to be looked at",
            where="--portfolio and --without-swap-sets",
            expected="one of them",
            do="leave the other out",
        )
    if not without and not book.portfolio and store.standing(card).version is not None:
        raise _missing(
            "--portfolio", "the book that the version was validated on, or --without-swap-sets with a --reason"
        )
    return promotion(
        store,
        card,
        version,
        by=by,
        rules=rules,
        book=book.opened if book.portfolio else None,
        policy=None if policy is None else read_policy(policy),
        reason=reason,
        expected=expected,
    )


def _rollback(
    store: ModelStore,
    card: str,
    version: str | None,
    by: str | None,
    reason: str,
    rules: PromotionRules,
    expected: int | None,
) -> Proposal:
    from training.promotion.proposal import rollback

    if by is None:
        raise _missing("--by", "the name or role of who rolls back")
    return rollback(store, card, by=by, reason=reason, rules=rules, version=version, expected=expected)


def _show(store: ModelStore, proposal: Proposal, rules: PromotionRules) -> None:
    from training.promotion.printed import tables

    for note in proposal.notes:
        say_both(note)
    if proposal.sets is None:
        return
    labels = {
        feature.name: feature.label
        for version in (proposal.expected.version, proposal.version)
        for feature in store.load(proposal.card, version).catalog
    }
    for table in tables(proposal.sets, labels, features=rules.reasons.features):
        console().print(table)


def _show_history(store: ModelStore, card: str) -> None:
    from training.promotion.printed import history

    console().print(history(store.history(card)))


def _change(proposal: Proposal) -> Text:
    """Return what the change is, in words."""
    from training.promotion import notes
    from training.promotion.record import Kind

    words = notes.SERVES_AGAIN if proposal.kind is Kind.ROLLED_BACK else notes.SERVES
    told = words.filled(card=proposal.card, version=proposal.version)
    if proposal.expected.version is not None:
        told = notes.IN_PLACE.filled(change=told, before=proposal.expected.version)
    if proposal.undoes is not None:
        told = notes.UNDONE.filled(change=told, number=proposal.undoes)
    return told


def _require_one(asked: Mapping[str, bool]) -> None:
    if sum(asked.values()) > 1:
        raise UsageError(
            "several things at once",
            where=", ".join(asked),
            expected="one of them",
            do="leave the others out",
        )


def _missing(option: str, expected: str) -> UsageError:
    return UsageError("nothing given", where=option, expected=expected, do=f"add {option}")
