"""The BentoML service: it names the parts, and every answer comes from the front.

Set `BENTOML_DO_NOT_TRACK=true` before `bentoml serve` starts: BentoML remembers what it found at its first look.
"""

from __future__ import annotations

import os
from typing import Any

os.environ["BENTOML_DO_NOT_TRACK"] = "true"  # the word: BentoML takes 1 for no

import bentoml

from features.compilation import keep_nothing
from features.errors import RepayrankError
from serving.access.door import Door
from serving.decisions.opening import opened_recorder
from serving.front import ROUTES, App, Front, to_stderr
from serving.http import Receive, Scope, Send
from serving.settings import Settings
from serving.state import load

front = Front()
"""The one front of this process."""


@bentoml.service(
    name="repayrank",
    workers=1,
    # BentoML's own counters and access log would see each request a second time; ours name no value.
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
    traffic={"timeout": 60},
)
class Repayrank:
    """Repayment risk: scores, reasons and an order of work for a lender's loans."""

    @bentoml.on_startup  # type: ignore[untyped-decorator]
    def open(self) -> None:
        """Load what the environment names, unless `repayrank serve` has already loaded it.

        What is refused is said once, and the service stays up without being ready: BentoML would start a process that
        ends again and again.
        """
        if front.is_open:
            return
        keep_nothing()  # what is compiled is kept as pickles, and a service reads none
        try:
            settings = Settings.from_environment()
            loaded = load(settings)
            door = Door.of(settings.written_to, ROUTES, to_stderr)
            front.open(loaded, settings, opened_recorder(settings, loaded, to_stderr), door)
        except RepayrankError as error:
            to_stderr({"refused": str(error)})

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    def close(self) -> None:
        """Finish what has begun."""
        front.close()


class BeforeBentoML:
    """Middleware that lets the front answer before any route of BentoML's."""

    def __init__(self, app: App) -> None:
        self._app = front.before(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        await self._app(scope, receive, send)


service: Any = Repayrank
"""The class as BentoML's decorator leaves it: a service."""

service.add_asgi_middleware(BeforeBentoML)
