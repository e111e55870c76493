"""How the daemon works: lanes, leases, and the hooks through which systems push changes."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field, field_validator

from weft.config.values import Duration, Strict


class Jobs(Strict):
    """How `weft run` works."""

    live: int = Field(default=4, ge=1, le=100, description="jobs for what has just changed at a time, in each worker")
    bulk: int = Field(default=2, ge=1, le=100, description="jobs that go over many records at a time, in each worker")
    lease: Duration = Field(
        default=timedelta(seconds=15),
        description="time after the last heartbeat of a worker until another one takes over what it was doing",
    )
    poll: Duration = Field(
        default=timedelta(milliseconds=100), description="how often workers look for jobs and for what is due"
    )
    drain: Duration = Field(
        default=timedelta(seconds=30), description="longest wait for jobs under way when the daemon is stopped"
    )

    @field_validator("lease")
    @classmethod
    def _lease(cls, value: timedelta) -> timedelta:
        if value.total_seconds() < 1:
            raise ValueError("must be at least one second")
        return value

    @field_validator("poll")
    @classmethod
    def _poll(cls, value: timedelta) -> timedelta:
        if not 0.01 <= value.total_seconds() <= 60:
            raise ValueError("must lie between 0.01 and 60 seconds")
        return value


class Webhook(Strict):
    """The secret in the address that a system pushes to: `<server.public_url>/hooks/<connection>/<secret>`."""

    secret: str = Field(description="at least 16 characters; a reference such as `${env:HOOK_SECRET}`")
    previous: str | None = Field(
        default=None, description="the secret before, still good while systems are told the new one"
    )
