"""What may be chosen about a simulated environment, with the strict or worse value as default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from weft.testing.simulator import SimSettings


@dataclass(kw_only=True)
class Settings(SimSettings):
    """Settings of one simulated environment, besides seed, latency and jitter of every simulator.

    Those of the first group stand for behaviour that no public source settles; a connector has to
    survive every value. Times are in seconds.
    """

    # Unconfirmed behaviour.
    stale_etag_status: Literal[409, 412] = 409
    duplicate_key_status: Literal[400, 409] = 400
    missing_record_code: Literal["BadRequest_ResourceNotFound", "Internal_RecordNotFound"] = (
        "BadRequest_ResourceNotFound"
    )
    record_not_found_status: Literal[400, 404] = 404  # of Internal_RecordNotFound
    company_not_found_status: int = 404
    handshake_failed_status: int = 400
    handshake_method: Literal["GET", "POST"] = "POST"
    deep_insert_returns_lines: bool = False  # lines only come back with $expand
    enum_literals: Literal["both", "escaped", "caption"] = "both"
    payment_sign: Literal["raw", "positive", "both"] = "raw"  # raw: a receipt is negative, as in the journal
    payment_touches_invoice: bool = False  # whether remainingAmount moves lastModifiedDateTime of the invoice
    null_clears: bool = False  # null for numbers, dates, guids and booleans: refused unless set
    client_ids: bool = False  # a body may choose the id of a new record
    retry_after: int | None = None  # Retry-After on 429
    notification_leading_slash: bool = True

    # The environment.
    tenant: str = "f0f3a2ee-6c5a-4b0e-9a4f-0d3c5c1f9b6e"
    environment: str = "production"
    version: str = "29.0"  # app version: newer sets and properties are absent
    page_size: int = 20_000
    batch_limit: int = 100
    replica_lag: float = 0.0  # how old the answers to Data-Access-Intent: ReadOnly are
    operation_time: float = 0.0  # how long each request takes
    operation_limit: float = 8 * 60.0  # 408 above it
    tax_percent: str = "0"  # set by the seed per country; a decimal as text

    # Limits per user, off by default.
    rate_limit: int | None = None  # requests in a sliding rate_window; 6000 in 300 s in the real service
    rate_window: float = 300.0
    max_concurrent: int | None = None  # 5 in the real service
    max_queue: int = 95
    queue_time: float = 8 * 60.0  # 503 above it

    # Change notifications.
    webhooks: bool = True
    notify_every: float | None = 0.5  # how often what is due is sent; None: only by the command flush_events
    notification_delay: float = 30.0
    notification_timeout: float = 30.0
    handshake_timeout: float = 5.0
    webhook_ca: str | None = None  # PEM file trusted for notification URLs besides the simulators' own CA
    subscription_days: float = 3.0
    max_subscriptions: int = 200
    max_notifications: int = 1000
    retry_delays: tuple[float, ...] = (60.0, 60.0, 60.0, 600.0, 6000.0, 60000.0)
