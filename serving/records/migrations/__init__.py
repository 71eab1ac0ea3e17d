"""How the tables of a log in PostgreSQL came to be as they are, step by step (Alembic)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext, RevisionStep
    from sqlalchemy import Connection

VERSION_TABLE = "alembic_version"


@cache
def steps() -> tuple[str, ...]:
    """Return the names of all steps, the first one first."""
    return tuple(script.revision for script in _scripts().walk_revisions())[::-1]


def migrate(connection: Connection) -> None:
    """Take all steps that are left, within the connection's transaction: all or none."""
    scripts = _scripts()

    def left(revision: str | tuple[str, ...], _: MigrationContext) -> list[RevisionStep]:
        return list(scripts._upgrade_revs("head", revision))  # type: ignore[arg-type]  # as Alembic's own manual does

    with EnvironmentContext(Config(), scripts, fn=left) as environment:
        environment.configure(connection=connection, version_table=VERSION_TABLE)
        environment.run_migrations()


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(Path(__file__).parent)
