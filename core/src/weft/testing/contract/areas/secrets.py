"""Secrets: in no log, no error text, no repr."""

from __future__ import annotations

import traceback

from weft.errors import WeftError
from weft.testing.contract.bench import NAME, Bench
from weft.testing.contract.harness import Unsupported
from weft.testing.contract.outcome import Area
from weft.testing.contract.writer import new_item, write

area = Area("secrets")


def _leak(bench: Bench, text: str, where: str) -> None:
    for secret in (*bench.system.secrets, *bench.system.tokens()):
        if secret and secret in text:
            at = text.index(secret)
            around = (text[max(0, at - 60) : at] + "<SECRET>" + text[at + len(secret) :])[:200]
            bench.fail(f"a secret or a token appears in {where}: …{around}")


@area.check
async def secrets_are_masked_in_settings(bench: Bench) -> None:
    """A secret setting is of the type weft.net.secrets.Secret: repr, str and a dump of the settings mask it."""
    if not bench.system.secrets:
        raise Unsupported("the harness names no secrets")
    settings = bench.runtime.settings(NAME)
    for what, text in (("repr", repr(settings)), ("str", str(settings)), ("dump", settings.model_dump_json())):
        _leak(bench, text, f"the {what} of the settings")
    await bench.session()
    _leak(bench, repr(await bench.session()), "the repr of the session")


@area.check
async def secrets_are_in_no_error(bench: Bench) -> None:
    """No error text holds a secret: not the refusal of wrong credentials, not a failing request."""
    wrong = bench.system.wrong_settings
    if wrong is None or not bench.system.secrets:
        raise Unsupported("the harness gives no wrong_settings or names no secrets")
    texts = []
    try:
        await bench.open_and_close(wrong)
    except WeftError as error:
        texts.append("".join(traceback.format_exception(error)))
    await bench.person_creates()
    await bench.session()
    await bench.system.strike("error_before", on="any", status=500, count=None)
    try:
        await bench.read("scan")
    except WeftError as error:
        texts.append("".join(traceback.format_exception(error)))
    outcome = (await write(bench, [await new_item(bench)])).popitem()[1]
    texts.append(repr(outcome))
    await bench.system.calm()
    for text in texts:
        _leak(bench, text, "an error")


@area.check
async def secrets_are_in_no_log(bench: Bench) -> None:
    """No log record of any level holds a secret or a token: not at opening, reading, writing, renewing."""
    if not bench.system.secrets:
        raise Unsupported("the harness names no secrets")
    await bench.person_creates()
    await bench.read("scan")
    await write(bench, [await new_item(bench)])
    for kind in ("token_expiry", "error_before"):
        try:
            await bench.system.strike(kind, on="any")
            await bench.read("scan")
        except Unsupported:
            continue
        except WeftError as error:
            _leak(bench, str(error), "an error")
    if bench.system.wrong_settings is not None:
        try:
            await bench.open_and_close(bench.system.wrong_settings)
        except WeftError as error:
            _leak(bench, str(error), "an error")
    for text in bench.log.texts:
        _leak(bench, text, "the log")
