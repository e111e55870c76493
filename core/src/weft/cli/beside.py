"""What runs beside the jobs of ``weft run``: the server, the watch that tells people, forgetting."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from weft.cli.extras import extra
from weft.retention import forgetting

if TYPE_CHECKING:
    from weft.jobs.daemon import Service
    from weft.runtime import Runtime
    from weft.server.site import Receive
    from weft.telemetry.metrics import Metrics


def services(
    runtime: Runtime, metrics: Metrics | None, receive: Receive, problem: Callable[[], Awaitable[str]]
) -> Sequence[Service]:
    """In the order in which they start; they stop in reverse. ``receive`` takes what systems push, ``problem``
    says what keeps the daemon from its work.

    :raises ConfigError: an address of an alert channel cannot be used, or the extra is not installed.
    """
    with extra("daemon"):
        from weft.alerts.watch import watching
        from weft.server.serve import serve
        from weft.telemetry import health
    routes = health.routes(runtime, metrics, {"worker": health.lease(runtime), "daemon": problem})
    return [
        serve(runtime, receive=receive, routes=routes),
        watching(runtime, public_url=runtime.config.server.public_url or ""),
        forgetting(runtime),
    ]
