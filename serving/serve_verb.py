"""`repayrank serve`: scores over HTTP, each written into the decision log before it is answered."""

from __future__ import annotations

from typing import Annotated

import typer

from models.verb_options import DEFAULT_HOME, HomeOption, PolicyOption, require_folder
from serving.settings import DEFAULT_LOG_NAME
from serving.verb_options import (
    CheckpointsOption,
    DatabaseUrlOption,
    LogNameOption,
    PortOption,
    RecordsOption,
    StateOption,
)


def serve(
    home: HomeOption = DEFAULT_HOME,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: PortOption = 3000,
    policy: PolicyOption = None,
    state: StateOption = None,
    records: RecordsOption = None,
    database_url: DatabaseUrlOption = None,
    checkpoints: CheckpointsOption = None,
    log_name: LogNameOption = DEFAULT_LOG_NAME,
    leave_seconds: Annotated[
        float,
        typer.Option(
            "--leave-seconds",
            min=0.0,
            help="How long after SIGTERM to go on answering while readiness is refused, for a load balancer to notice.",
        ),
    ] = 0.0,
    without_records: Annotated[
        bool, typer.Option("--without-records", help="Write no decision down; for trying out only.")
    ] = False,
) -> None:
    """Answer scores over HTTP until stopped, each written into the decision log before it is answered.

    Whoever asks shows a token: see `repayrank token create --help`.

    Example: `repayrank serve --home .repayrank --port 3000`
    """
    from serving.server import run
    from serving.settings import Settings, log_chosen

    require_folder(home)
    log = log_chosen(state or home, records, database_url, without=without_records)
    run(
        Settings(
            home=home,
            state=state,
            policy=policy,
            records=log.folder,
            database_url=log.url,
            anchors=checkpoints,
            log_name=log_name,
            host=host,
            port=port,
            leave_seconds=leave_seconds,
        )
    )
