"""Switching metrics and traces on for as long as a daemon runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from weft.errors import ConfigError
from weft.meter import Meter, Meters

if TYPE_CHECKING:
    from weft.runtime import Runtime
    from weft.telemetry.metrics import Metrics


@asynccontextmanager
async def measuring(runtime: Runtime) -> AsyncIterator[Metrics | None]:
    """Measure until the context ends, as ``telemetry:`` says. Enter it before any session is opened. Gives
    what counts, for :func:`weft.telemetry.health.routes`; None where metrics are off.

    :raises ConfigError: a package is not installed (says which extra), or a secret is missing.
    """
    settings = runtime.config.telemetry
    metrics = None
    meters: list[Meter] = []
    try:
        if settings.metrics:
            from weft.telemetry.metrics import Metrics

            metrics = Metrics(runtime)
            meters.append(metrics)
        if settings.traces is not None:
            from weft.telemetry.traces import Traces

            meters.append(Traces(runtime, settings.traces))
    except ModuleNotFoundError as error:
        extra = "otel" if (error.name or "").startswith("opentelemetry") else "daemon"
        raise ConfigError(f"telemetry needs the package {error.name!r}: pip install 'weft[{extra}]'") from error
    before = runtime.meter, runtime.state.meter
    if meters:
        runtime.meter = runtime.state.meter = meters[0] if len(meters) == 1 else Meters(meters)
    try:
        yield metrics
    finally:
        runtime.meter, runtime.state.meter = before
        for meter in meters:
            if meter is not metrics:
                await asyncio.to_thread(meter.close)  # type: ignore[attr-defined]
