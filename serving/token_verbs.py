"""`repayrank token`: who may ask the service, and for what."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from features.errors import UsageError
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
    """List the tokens that were given out, oldest first: id, role, name, end, state; then the signed ones withdrawn."""
    from serving.access.tokens import listed, withdrawn

    now, path = datetime.now(UTC), _tokens(home, state)
    for entry in listed(path):
        typer.echo(f"{entry.id}  {entry.role:<9} {entry.name:<24} {entry.expires_at:%Y-%m-%d}  {entry.state(now)}")
    for one in withdrawn(path):
        typer.echo(f"signed, {one.by} {one.value}  {one.at:%Y-%m-%d %H:%M:%S} UTC  withdrawn")


@token_app.command("revoke")
def token_revoke(
    token_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Of a local token, as `repayrank token list` shows it.")
    ] = None,
    jti: Annotated[str | None, typer.Option("--jti", help="Instead: the id of one signed token.")] = None,
    subject: Annotated[
        str | None, typer.Option("--subject", help="Instead: whoever signed tokens were given to until now.")
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    state: StateOption = None,
) -> None:
    """End a token; a running service refuses it within a second.

    A signed token of your identity provider is named by its id, or all of a subject's at once by the subject. Tokens
    that the subject is given later are let in again.

    Example: `repayrank token revoke 01K5...`
    """
    from serving.access.tokens import revoke, withdraw
    from serving.access.withdrawn import By

    path = _tokens(home, state)
    match token_id, jti, subject:
        case str(), None, None:
            entry = revoke(path, token_id)
            typer.echo(f"{entry.role} token {entry.id} of {entry.name} is refused from now on")
        case None, str(), None:
            withdraw(path, By.ID, jti)
            typer.echo("the signed token with this id is refused from now on")
        case None, None, str():
            one = withdraw(path, By.SUBJECT, subject)
            typer.echo(f"signed tokens that this subject was given until {one.at:%Y-%m-%d %H:%M:%S} UTC are refused")
        case _:
            raise UsageError(
                "no token to revoke, or several",
                where="the command line",
                expected="the id of a local token, or --jti, or --subject",
                do="give one of them",
            )


def _tokens(home: Path, state: Path | None) -> Path:
    from serving.access.tokens import tokens_file

    return tokens_file(state or home)
