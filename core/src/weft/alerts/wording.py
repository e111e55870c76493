"""What messages say: what is wrong, which records, the system's own words, what to do, where to look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from weft.config.values import spell_duration

if TYPE_CHECKING:
    from weft.alerts.facts import Failing, Lost, OpenIssues, Sample, Silent, Stopped
    from weft.state.alerts import Alert

LONGEST = 400
"""Characters of a system's words that a message repeats."""

Told = tuple[str, str]
"""Title and text."""

_KINDS = {
    "failed": (
        "{n} refused by a system",
        "Put right what it says, then retry: weft issues retry --flow {flow} --kind failed",
    ),
    "waiting": ("{n} waiting for others", "See what they wait for: weft issues list {flow} --kind waiting"),
    "conflict": ("{n} changed on both sides", "Choose a side for each field: weft conflicts list {flow}"),
    "ambiguous": ("{n} with several candidates", "Say which belong together: weft issues list {flow} --kind ambiguous"),
    "approval": ("{n} waiting for approval", "Approve or refuse them: weft issues list {flow} --kind approval"),
    "review": ("{n} to be looked at", "Decide what is right: weft issues list {flow} --kind review"),
    "delete": ("{n} deleted on one side", "Say what becomes of the other side: weft issues list {flow} --kind delete"),
    "config": (
        "{n} stopped by the configuration",
        "Change what it names: weft issues list {flow} --kind config",
    ),
    "invisible": ("{n} no longer visible to weft's user", "Check its rights: weft issues list {flow} --kind invisible"),
}


@dataclass(frozen=True, slots=True)
class Wording:
    """``public_url`` is where the dashboard is reached, empty where there is none."""

    public_url: str = ""

    def issues(self, one: OpenIssues) -> Told:
        title, todo = _KINDS.get(one.kind, ("{n} " + one.kind, "See them: weft issues list {flow} --kind " + one.kind))
        lines = [f"- {_record(sample)}" for sample in one.samples]
        if one.count > len(one.samples):
            lines.append(f"- and {one.count - len(one.samples)} more")
        lines += [f"The oldest since {when(one.since)}.", todo.format(flow=one.flow)]
        title = f"{one.flow}: " + title.format(n=_records(one.count))
        return title, self._linked(lines, *_page(one.kind), flow=one.flow)

    def failing(self, one: Failing) -> Told:
        lines = [f"Since {when(one.since)}: {_cut(one.words) or 'its log says why'}", "Find the cause: weft check"]
        return f"{one.flow}: {one.count} runs in a row failed", self._linked(lines, "runs", flow=one.flow)

    def down(self, system: str, flows: Sequence[Failing]) -> Told:
        lines = [
            f"Since {when(min(one.since for one in flows))}: {_cut(flows[0].words)}",
            f"Flows that wait for it: {', '.join(sorted(one.flow for one in flows))}. Nothing is lost, they go on by "
            "themselves when it answers.",
            "See whether it is weft's side: weft doctor",
        ]
        return f"{system} does not answer", self._linked(lines, "")

    def silent(self, one: Silent) -> Told:
        last = f"The last run that got through ended {when(one.last)}." if one.last else "It never got through a run."
        lines = [last, f"See what holds it up: weft status {one.flow}"]
        return f"{one.flow}: nothing for too long", self._linked(lines, "runs", flow=one.flow)

    def lost(self, one: Lost) -> Told:
        left = f"{one.alive} workers go on" if one.alive > 1 else "one worker goes on" if one.alive else "none is left"
        lines = [
            f"Last heard of {when(one.since)}: process {one.pid}, worker {one.worker}; {left}.",
            "Its work is taken over and its writes in doubt are looked up. See its log, start it again: weft run",
        ]
        return f"A worker on {one.host} died", self._linked(lines, "")

    def stopped(self, one: Stopped) -> Told:
        lines = [
            f"Since {when(one.since)}: {_cut(one.words)}",
            f"Look at what it would do: weft plan {one.flow}. Then let it go on once, or refuse: "
            f"weft issues list {one.flow} --kind approval",
        ]
        title = f"{one.flow}: stopped by the guard on {one.subject}"
        return title, self._linked(lines, "approvals", flow=one.flow)

    def _linked(self, lines: Sequence[str], page: str, kind: str = "", flow: str = "") -> str:
        if not self.public_url:
            return "\n".join(lines)
        query = {name: value for name, value in (("flow", flow), ("kind", kind)) if value}
        link = f"{self.public_url.rstrip('/')}/{page}" + (f"?{urlencode(query, quote_via=quote)}" if query else "")
        return "\n".join([*lines, link])


def digest(alerts: Sequence[Alert], now: datetime) -> Told:
    """One message about all of these: what is wrong first, the most severe before, then what is well again."""
    order = ("critical", "warning", "info")
    wrong = sorted((a for a in alerts if a.state == "waiting"), key=lambda a: (order.index(a.severity), a.since))
    well = [alert for alert in alerts if alert.state == "over"]
    blocks = [f"{alert.title} ({alert.severity})\n{alert.text}" for alert in wrong]
    blocks += [f"Well again: {alert.title}, after {_span(now - alert.since)}" for alert in well]
    if len(alerts) == 1:
        one = alerts[0]
        return f"weft: {one.title}" if wrong else f"weft: well again: {one.title}", blocks[0]
    counted = [f"{len(wrong)} need attention"] if wrong else []
    counted += [f"{len(well)} are well again"] if well else []
    return f"weft: {', '.join(counted)}", "\n\n".join(blocks)


def _page(kind: str) -> tuple[str, str]:
    """Where the dashboard shows issues of a kind: the page, and what it is asked for."""
    own = {"conflict": "conflicts", "approval": "approvals"}
    return (own[kind], "") if kind in own else ("issues", kind)


def when(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _span(span: timedelta) -> str:
    minutes = max(1, round(span.total_seconds() / 60))
    return spell_duration(timedelta(minutes=minutes))


def _records(count: int) -> str:
    return "1 record" if count == 1 else f"{count} records"


def _record(sample: Sample) -> str:
    name = sample.label or sample.key
    shown = f"{name} ({sample.key})" if sample.label and sample.key and sample.key != sample.label else name
    return ": ".join(part for part in (shown, sample.connection, _cut(sample.words)) if part)


def _cut(words: str) -> str:
    text = " ".join(words.split())
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"
