"""The control endpoint: faults, clock, commands and counters over HTTP, under ``/_control``.

======  ==================================  ================================================================
GET     /_control                           names of the simulators
GET     /_control/{sim}/stats               counters
GET     /_control/{sim}/log                 the last requests
GET     /_control/{sim}/faults              faults in force, with their counters
POST    /_control/{sim}/faults              add one: the fields of :class:`Fault`; answers it with its id
DELETE  /_control/{sim}/faults[/{id}]       remove one or all
GET     /_control/{sim}/clock               ``{"now": …}``
POST    /_control/{sim}/clock               ``{"advance": seconds}``, ``{"skew": seconds}``, ``{"freeze": time|null}``
POST    /_control/{sim}/release             ``{"count": n|null}``: make late commits visible
POST    /_control/{sim}/expire_tokens
GET     /_control/{sim}/commands            names with help
POST    /_control/{sim}/command/{name}      JSON object of arguments; answers ``{"result": …}``
======  ==================================  ================================================================

Errors are ``{"error": text}`` with 400 or 404. Only clients on this machine are answered.
"""

from __future__ import annotations

import inspect
import ipaddress
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from aiohttp import web

from weft.testing.odata.render import dumps, loads
from weft.testing.odata.values import instant_ns, instant_wire
from weft.testing.simulator.base import Simulator
from weft.testing.simulator.faults import fault_from_json

Verb = Callable[[Simulator, web.Request, Any], Awaitable[Any]]


def control_routes(sims: Mapping[str, Simulator]) -> list[web.RouteDef]:
    """Routes that reach every one of ``sims`` by name."""

    async def names(request: web.Request) -> web.Response:
        _local_only(request)
        return _json({"simulators": sorted(sims)})

    def bound(verb: Verb) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handler(request: web.Request) -> web.StreamResponse:
            _local_only(request)
            sim = sims.get(request.match_info["sim"])
            if sim is None:
                return _json({"error": f"no simulator {request.match_info['sim']!r}"}, 404)
            try:
                body = await request.read()
                return _json(await verb(sim, request, loads(body) if body else {}))
            except KeyError as error:
                return _json({"error": str(error.args[0])}, 404)
            except (ValueError, TypeError, NotImplementedError) as error:
                return _json({"error": str(error)}, 400)

        return handler

    root = "/_control/{sim}"
    return [
        web.get("/_control", names),
        web.get(f"{root}/stats", bound(_stats)),
        web.get(f"{root}/log", bound(_log)),
        web.get(f"{root}/faults", bound(_faults)),
        web.post(f"{root}/faults", bound(_add_fault)),
        web.delete(f"{root}/faults", bound(_clear_faults)),
        web.delete(f"{root}/faults/{{id:[0-9]+}}", bound(_remove_fault)),
        web.get(f"{root}/clock", bound(_now)),
        web.post(f"{root}/clock", bound(_set_clock)),
        web.post(f"{root}/release", bound(_release)),
        web.post(f"{root}/expire_tokens", bound(_expire)),
        web.get(f"{root}/commands", bound(_commands)),
        web.post(f"{root}/command/{{name}}", bound(_command)),
    ]


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(status=status, body=dumps(value), content_type="application/json")


def _local_only(request: web.Request) -> None:
    remote = request.remote
    if remote is None or not ipaddress.ip_address(remote.partition("%")[0]).is_loopback:
        raise web.HTTPForbidden(text="The control endpoint answers this machine only.")


def _object(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise ValueError("a JSON object is expected")
    return data


async def _stats(sim: Simulator, request: web.Request, data: Any) -> Any:
    return sim.stats()


async def _log(sim: Simulator, request: web.Request, data: Any) -> Any:
    return {"requests": [asdict(item) for item in sim.request_log]}


async def _faults(sim: Simulator, request: web.Request, data: Any) -> Any:
    return {"faults": [asdict(fault) for fault in sim.faults.listed()]}


async def _add_fault(sim: Simulator, request: web.Request, data: Any) -> Any:
    return asdict(sim.faults.add(fault_from_json(data)))


async def _clear_faults(sim: Simulator, request: web.Request, data: Any) -> Any:
    sim.faults.clear()
    return {}


async def _remove_fault(sim: Simulator, request: web.Request, data: Any) -> Any:
    sim.faults.remove(int(request.match_info["id"]))
    return {}


async def _now(sim: Simulator, request: web.Request, data: Any) -> Any:
    return {"now": instant_wire(sim.clock.now_ns(), 9)}


async def _set_clock(sim: Simulator, request: web.Request, data: Any) -> Any:
    data = _object(data)
    unknown = data.keys() - {"advance", "skew", "freeze"}
    if unknown or not data:
        raise ValueError("the clock takes 'advance', 'skew' or 'freeze'")
    if "advance" in data:
        sim.clock.advance(_number(data, "advance"))
    if "skew" in data:
        sim.clock.set_skew(_number(data, "skew"))
    if "freeze" in data:
        at = data["freeze"]
        if at is not None:
            instant_ns(at)  # refuses what has no zone
            at = datetime.fromisoformat(at)
        sim.clock.freeze(at)
    return await _now(sim, request, data)


def _number(data: dict[str, Any], name: str) -> float:
    try:
        return float(data[name])
    except (TypeError, ValueError):
        raise ValueError(f"{name}: a number of seconds is expected") from None


async def _release(sim: Simulator, request: web.Request, data: Any) -> Any:
    count = _object(data).get("count")
    if count is not None and not isinstance(count, int):
        raise ValueError("count: a whole number or null is expected")
    return {"released": sim.release(count)}


async def _expire(sim: Simulator, request: web.Request, data: Any) -> Any:
    sim.expire_tokens()
    return {}


async def _commands(sim: Simulator, request: web.Request, data: Any) -> Any:
    return {"commands": {name: text for name, (_, text) in sim.commands.items()}}


async def _command(sim: Simulator, request: web.Request, data: Any) -> Any:
    name, args = request.match_info["name"], _object(data)
    found = sim.commands.get(name)
    if found is not None:
        try:
            inspect.signature(found[0]).bind(**args)
        except TypeError as error:
            raise ValueError(f"command {name}: {error}") from None
    return {"result": await sim.command(name, **args)}
