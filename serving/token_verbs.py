"""`repayrank token`: who may ask the service, and for what."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from serving.access.token_text import DAYS
from serving.settings import DEFAULT_HOME
from serving.verb_options import HomeOption, StateOption

token_app = typer.Typer(help="Give out tokens for the service, list them, end them.", no_args_is_help=True)


@token_app.command("create")
def token_create(
    name: Annotated[str, typer.Option("--name", help="Of the holder, such as collections-queue.")],
    role: Annotated[str, typer.Option("--role", help="`engine`, `modeller`, `reviewer` or `admin`.")],
    days: Annotated[int, typer.Option("--days", help="Until it ends.")] = DAYS,
    home: HomeOption = DEFAULT_HOME,
    state: StateOption = None,
) -> None:
    """Make a token and print it; only its hash is kept, so it is shown this once.

    Example: `TOKEN=$(repayrank token create --name scoring --role engine)`
    """
    from serving.access.tokens import create

    made = create(_tokens(home, state), name=name, role=role, days=days)
    typer.echo(made.text)
    typer.echo(
        f"{made.entry.role} token {made.entry.id}, until {made.entry.expires_at:%Y-%m-%d}; it is not shown again",
        err=True,
    )


@token_app.command("list")
def token_list(home: HomeOption = DEFAULT_HOME, state: StateOption = None) -> None:
    """List the tokens that were given out, oldest first: id, role, name, end, state."""
    from serving.access.tokens import listed

    now = datetime.now(UTC)
    for entry in listed(_tokens(home, state)):
        typer.echo(f"{entry.id}  {entry.role:<9} {entry.name:<24} {entry.expires_at:%Y-%m-%d}  {entry.state(now)}")


@token_app.command("revoke")
def token_revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="As `repayrank token list` shows it.")],
    home: HomeOption = DEFAULT_HOME,
    state: StateOption = None,
) -> None:
    """End a token; a running service refuses it within a second.

    Example: `repayrank token revoke 01K5...`
    """
    from serving.access.tokens import revoke

    entry = revoke(_tokens(home, state), token_id)
    typer.echo(f"{entry.role} token {entry.id} of {entry.name} is refused from now on")


def _tokens(home: Path, state: Path | None) -> Path:
    from serving.access.tokens import tokens_file

    return tokens_file(state or home)
