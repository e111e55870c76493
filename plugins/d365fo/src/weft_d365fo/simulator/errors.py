"""Errors as Finance & Operations words them: a generic message outside, the infolog inside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

WRITE_EXCEPTION = "Microsoft.Dynamics.Platform.Integration.Services.OData.AxODataWriteException"
INVALID_OPERATION = "System.InvalidOperationException"
ODATA_EXCEPTION = "Microsoft.OData.ODataException"
GENERIC = "An error has occurred."
BUSY = "This request could not be processed at this time due to system experiencing high resource utilization."


class FoError(Exception):
    """An answer other than success. ``status`` None: the one the settings give to broken business rules."""

    def __init__(
        self, status: int | None, message: str, kind: str = ODATA_EXCEPTION, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.headers = headers or {}

    def body(self, *, nested: bool = False) -> dict[str, Any]:
        """The JSON body. ``nested``: the text stands one level deeper."""
        inner: dict[str, Any] = {"message": self.message, "type": self.kind, "stacktrace": STACK}
        if nested:
            inner = {
                "message": "Exception has been thrown by the target of an invocation.",
                "type": "System.Reflection.TargetInvocationException",
                "stacktrace": STACK,
                "internalexception": inner,
            }
        return {"error": {"code": "", "message": GENERIC, "innererror": inner}}


STACK = (
    "   at Microsoft.Dynamics.Platform.Integration.Services.OData.Update.UpdateProcessor."
    "CreateEntity_Save(ChangeOperationContext context, ChangeInfo changeInfo)\r\n"
    "   at Microsoft.Dynamics.Platform.Integration.Services.OData.Update.ChangeInfo.ExecuteActionsInCompanyContext()"
)


class RouteError(Exception):
    """The Web API's own 404 for a URL that leads nowhere."""

    def body(self, url: str) -> dict[str, Any]:
        return {
            "Message": f"No HTTP resource was found that matches the request URI '{url}'. "
            "No route data was found for this request."
        }


class Refused(Exception):
    """A business rule said no: lines of the infolog as (severity, text)."""

    def __init__(self, *log: tuple[str, str]) -> None:
        super().__init__("; ".join(text for _, text in log))
        self.log = log


def refused(severity: str, *texts: str) -> Refused:
    return Refused(*((severity, text) for text in texts))


def write_failed(aot: str, log: Sequence[tuple[str, str]], verb: str = "Write") -> FoError:
    """The infolog of a write, as the service hands it on."""
    text = "; ".join(f"{severity}: {line}" for severity, line in log)
    return FoError(None, f"{verb} failed for table row of type '{aot}'. Infolog: {text}.", WRITE_EXCEPTION)


def bad_request(message: str) -> FoError:
    return FoError(400, message)


def missing_row() -> FoError:
    """PATCH and DELETE of a row that is not there."""
    return FoError(400, "No resources were found when selecting for update.", INVALID_OPERATION)
