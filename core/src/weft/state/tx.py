"""One transaction and the nouns it works on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from weft.state.alerts import Alerts
from weft.state.aliases import Aliases
from weft.state.claims import Claims
from weft.state.cursors import Cursors
from weft.state.guards import Guards
from weft.state.hints import Hints
from weft.state.ids import Settlements
from weft.state.intents import Intents
from weft.state.issues import Issues
from weft.state.journal import Journal
from weft.state.links import Links
from weft.state.pauses import Pauses
from weft.state.portions import Portions
from weft.state.proofs import Proofs
from weft.state.quarantine import Quarantine
from weft.state.requests import Requests
from weft.state.runs import Runs
from weft.state.schedules import Schedules
from weft.state.sessions import Sessions
from weft.state.statistics import Statistics
from weft.state.subscriptions import Subscriptions
from weft.state.workers import Workers


class Tx:
    """A transaction of :class:`weft.state.store.State`; use it in the thread that got it.

    Everything done through it is committed together when the function given to
    :meth:`~weft.state.store.State.write` returns, and undone when it raises.
    """

    __slots__ = (
        "alerts",
        "aliases",
        "claims",
        "connection",
        "cursors",
        "guards",
        "hints",
        "intents",
        "issues",
        "journal",
        "links",
        "pauses",
        "portions",
        "proofs",
        "quarantine",
        "requests",
        "runs",
        "schedules",
        "sessions",
        "statistics",
        "subscriptions",
        "workers",
    )

    def __init__(
        self,
        connection: Connection,
        take_link_ids: Callable[[Connection, int], Sequence[int]],
        settlements: Settlements,
    ) -> None:
        self.connection = connection
        self.links = Links(connection, take_link_ids, settlements)
        self.aliases = Aliases(connection)
        self.alerts = Alerts(connection)
        self.intents = Intents(connection)
        self.journal = Journal(connection)
        self.issues = Issues(connection)
        self.cursors = Cursors(connection)
        self.runs = Runs(connection)
        self.hints = Hints(connection)
        self.guards = Guards(connection)
        self.quarantine = Quarantine(connection)
        self.pauses = Pauses(connection)
        self.portions = Portions(connection)
        self.requests = Requests(connection)
        self.workers = Workers(connection)
        self.claims = Claims(connection)
        self.schedules = Schedules(connection)
        self.subscriptions = Subscriptions(connection)
        self.statistics = Statistics(connection)
        self.proofs = Proofs(connection)
        self.sessions = Sessions(connection)
