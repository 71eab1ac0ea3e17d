"""`repayrank warn` and `repayrank migration`: whose risk rose, and how much of the book is on its way down."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.errors import UsageError
from features.words import Text, counted
from models.terminal import say_both, tell_both
from models.verb_options import (
    DEFAULT_HOME,
    LARGEST_SEED,
    DataOption,
    HomeOption,
    PortfolioOption,
    VersionOption,
    ZoneOption,
    open_book,
    require_card,
    require_folder,
    tell,
)

if TYPE_CHECKING:
    import polars as pl

    from models.fitted_card import FittedCard
    from models.store import ModelStore
    from training.early_warning.worth import Worth

FromOption = Annotated[
    datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="The first date; each sees its own past alone.")
]
ToOption = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="The second date.")]
FolderOption = Annotated[Path, typer.Option("--out", help="Folder to write into; made where it is not there.")]
ShowPolicyOption = Annotated[
    bool, typer.Option("--show-policy", help="Print the shipped policy, to copy and change, and end.")
]
SeedOption = Annotated[
    int, typer.Option("--seed", min=0, max=LARGEST_SEED, help="The same seed gives the same figures.")
]
WarnedCardOption = Annotated[
    str,
    typer.Option("--card", help="`application`, `behaviour` (not overdue), `collection` (overdue) or `all`."),
]
"""Not the option of other verbs, for the default is not the book's own card: a warning is of those who still pay."""
WARNED, MIGRATED = Path("early_warning"), Path("migration")


def warn(
    portfolio: PortfolioOption = "",
    first: FromOption = None,
    last: ToOption = None,
    out: FolderOption = WARNED,
    card: WarnedCardOption = "behaviour",
    data: DataOption = None,
    home: HomeOption = DEFAULT_HOME,
    policy: Annotated[
        Path | None,
        typer.Option("--policy", envvar="REPAYRANK_ALERT_POLICY", help="An alert policy; the shipped one by default."),
    ] = None,
    scale: Annotated[
        Path | None,
        typer.Option("--scale", envvar="REPAYRANK_POLICY", help="The policy file of points, bands and reasons."),
    ] = None,
    zone: ZoneOption = None,
    version: VersionOption = None,
    judge: Annotated[
        bool,
        typer.Option("--judge", help="Tell what such alerts were worth, by cards fitted on other borrowers."),
    ] = False,
    seed: SeedOption = 0,
    show_policy: ShowPolicyOption = False,
) -> None:
    """Tell whose risk rose between two dates, why, and which loans to look at: as many as the team can handle.

    Writes alerts and all changes as Parquet and CSV, and one page.

    Example: `repayrank warn --portfolio taiwan --from 2005-08-31 --to 2005-09-30 --out early_warning`
    """
    from training.early_warning import alert_policy as rules_of
    from training.early_warning import warn_words as words
    from training.early_warning.policy_file import shipped

    if show_policy:
        tell(shipped(rules_of.FILE).decode().rstrip("\n"))
        return
    from models.cards import card_of
    from models.policy import default_policy, read_policy
    from models.store import ModelStore
    from training.early_warning.alerts import alerts
    from training.early_warning.tables import alerts_table, changes_table
    from training.early_warning.two_dates import two_dates
    from training.early_warning.warn_page import warn_page
    from training.early_warning.worth import worth

    days = _dates(portfolio, first, last)
    require_card(card)
    require_folder(home)
    rules = rules_of.read_alert_policy(policy)
    scaled = default_policy() if scale is None else read_policy(scale)
    book = open_book(portfolio, zone, data, outcomes=judge)
    model = _card(ModelStore(home), card, version, portfolio)
    told = two_dates(book, model, scaled, *days)
    found = alerts(told.change, rules, rules.most_alerts(*days))
    worked = worth(book, card_of(book, card), scaled, rules, *days, seed=seed, say=say_both) if judge else None
    folder = _made(out)
    changes = changes_table(told, found)
    _write(folder, "alerts", alerts_table(told, found, changes))
    _write(folder, "changes", changes)
    (folder / "alerts.html").write_text(warn_page(told, found, source=book.source, worth=worked), encoding="utf-8")
    if worked is not None:
        say_both(_judged(worked))
    alerted, both = len(found.chosen), len(told.change)
    tell_both(
        words.DONE.filled(
            alerts=Text(en=counted(alerted, "alert"), zh=f"{alerted:,}笔预警"),
            loans=Text(en=counted(both, "loan"), zh=f"{both:,}笔借据"),
            card=card,
            version=model.version,
            waiting=f"{len(found.waiting):,}",
            page=str(folder / "alerts.html"),
        )
    )


def migration(
    portfolio: PortfolioOption = "",
    first: FromOption = None,
    last: ToOption = None,
    out: FolderOption = MIGRATED,
    months: Annotated[int, typer.Option("--months", min=1, max=12, help="How many months a move takes.")] = 1,
    data: DataOption = None,
    home: HomeOption = DEFAULT_HOME,
    policy: Annotated[
        Path | None,
        typer.Option(
            "--policy", envvar="REPAYRANK_CATEGORY_POLICY", help="A policy of categories; the shipped one by default."
        ),
    ] = None,
    zone: ZoneOption = None,
    by_scores: Annotated[
        bool, typer.Option(help="Forecast by the champions' scores as well, where there are any.")
    ] = True,
    seed: SeedOption = 0,
    show_policy: ShowPolicyOption = False,
) -> None:
    """Tell how loans moved between the five categories and what that does to the NPL ratio a period later.

    Categories are the floor that days past due set, and not the bank's own classification. Where the book knows the day
    after, the forecasts are held against it.

    Example: `repayrank migration --portfolio taiwan --from 2005-04-30 --to 2005-07-31`
    """
    from training.early_warning import categories
    from training.early_warning import migration_words as words
    from training.early_warning.policy_file import shipped

    if show_policy:
        tell(shipped(categories.FILE).decode().rstrip("\n"))
        return
    from models.policy import default_policy
    from models.store import ModelStore
    from training.early_warning.forecasting import book_migration
    from training.early_warning.migration_page import migration_page, summary
    from training.early_warning.migration_table import migration_table, plain

    days = _dates(portfolio, first, last)
    require_folder(home)
    rules = categories.read_category_policy(policy)
    book = open_book(portfolio, zone, data, outcomes=False)
    cards = _champions(ModelStore(home)) if by_scores else []
    told = book_migration(
        book,
        rules,
        *days,
        months=months,
        cards=cards,
        scale=default_policy() if cards else None,
        seed=seed,
        say=say_both,
    )
    folder = _made(out)
    _write(folder, "migration", migration_table(told))
    (folder / "migration.json").write_text(
        json.dumps(plain(told), ensure_ascii=False, indent=1, allow_nan=False) + "\n", encoding="utf-8"
    )
    (folder / "migration.html").write_text(migration_page(told), encoding="utf-8")
    for line in summary(told):
        say_both(line)
    products = Text(en=counted(len(told.products), "product"), zh=f"{len(told.products)}类产品")
    tell_both(words.DONE.filled(products=products, page=str(folder / "migration.html")))


def _judged(worked: Worth) -> Text:
    """Return what the alerts were worth in a sentence: how many of them went bad, and of lists to compare with."""
    from training.early_warning import warn_words as words

    if worked.alerted is None or worked.by_level is None:
        return words.NOTHING_JUDGED
    one = worked.alerted
    return words.JUDGED.filled(
        count=f"{one.listed.cases:,}",
        alerted=f"{one.listed.share:.1%}",
        rest=f"{one.rest.share:.1%}",
        level=f"{worked.by_level.listed.share:.1%}",
    )


def _dates(portfolio: str, first: datetime | None, last: datetime | None) -> tuple[date, date]:
    for given, option, expected in (
        (portfolio, "--portfolio", "the book to look at"),
        (first, "--from", "the first date, YYYY-MM-DD"),
        (last, "--to", "the second date, YYYY-MM-DD"),
    ):
        if not given:
            raise UsageError("nothing given", where=option, expected=expected, do=f"add {option}")
    assert first is not None, "refused above"
    assert last is not None, "refused above"
    return first.date(), last.date()


def _card(store: ModelStore, name: str, version: str | None, portfolio: str) -> FittedCard:
    """Return the card that scores, or refuse with the command that trains it."""
    if version is None:
        store.champion(name, book=portfolio)
    return store.load(name, version)


def _champions(store: ModelStore) -> list[FittedCard]:
    """Return the champions that score running loans, where there are any: the one for all, or one for each side."""
    return [store.load(name, None) for name in ("behaviour", "collection") if store.has_champion(name)]


def _made(out: Path) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    return out


def _write(folder: Path, name: str, rows: pl.DataFrame) -> None:
    from features.table_files import write

    for suffix in ("parquet", "csv"):
        write(rows, folder / f"{name}.{suffix}")
