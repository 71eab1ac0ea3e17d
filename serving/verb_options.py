"""What several verbs of the command line share: where models, decisions and keys lie."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from serving.settings import ANCHORS, DATABASE_URL, HOME, LOG_NAME, RECORDS, STATE, require_no_password


def _without_password(context: typer.Context, url: str | None) -> str | None:
    source = context.get_parameter_source("database_url")
    return require_no_password(url) if url and source is not None and source.name == "COMMANDLINE" else url


HomeOption = Annotated[Path, typer.Option("--home", envvar=HOME, help="Folder of models, keys and decisions.")]
StateOption = Annotated[
    Path | None,
    typer.Option("--state", envvar=STATE, help="Folder of what the service writes; the home by default."),
]
RecordsOption = Annotated[
    Path | None, typer.Option("--records", envvar=RECORDS, help="Folder of the decision log; by default in the state.")
]
DatabaseUrlOption = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        envvar=DATABASE_URL,
        callback=_without_password,
        metavar="URL",
        help="Instead: a log in PostgreSQL, `postgresql://user@host/database`. A password belongs into the environment "
        "variable or into `~/.pgpass` (`PGPASSFILE`); on a command line every user of the machine can read it.",
    ),
]
CheckpointsOption = Annotated[
    Path | None,
    typer.Option("--checkpoints", envvar=ANCHORS, help="File of signed checkpoints; by default in the state."),
]
LogNameOption = Annotated[str, typer.Option("--log-name", envvar=LOG_NAME, help="The log's name.")]
KeyOption = Annotated[
    Path | None,
    typer.Option("--key", help="The log's public key, a PEM file; by default the one among the service's secrets."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="As JSON.")]

LARGEST_PORT = 2**16 - 1
PortOption = Annotated[int, typer.Option("--port", min=0, max=LARGEST_PORT, help="Port to listen on; 0: any free one.")]
