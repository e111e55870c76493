"""The packaged declaration and a small tree, for the tests of the Creatio package."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from weft_creatio.package.install import Waiting
from weft_creatio.package.model import PackageModel, load_model


@pytest.fixture(scope="session")
def model() -> PackageModel:
    return load_model()


@dataclass
class Answer:
    status: int
    content: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    content: bytes
    body: Any


class ScriptedCreatio:
    """Answers by method and path prefix; each rule is a list used up in order, its last entry for ever."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.rules: list[tuple[str, str, list[Any]]] = []

    def on(self, method: str, path: str, *answers: Any) -> None:
        self.rules.insert(0, (method, path, list(answers)))

    def seen(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path.startswith(path)]

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        json: Any = None,
        timeout: float | None = None,  # noqa: ASYNC109
        ok: str | None = None,
    ) -> Answer:
        assert ok == "any"
        assert url.startswith("https://adatum.example/0/")
        path = url.removeprefix("https://adatum.example/0/")
        self.requests.append(Request(method, path, headers or {}, content or b"", json))
        for wanted, prefix, answers in self.rules:
            if wanted == method and path.startswith(prefix):
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                if callable(answer):
                    answer = answer(json)
                if isinstance(answer, Exception):
                    raise answer
                return _answer(answer)
        raise AssertionError(f"unexpected {method} {path}")


def _answer(value: Any) -> Answer:
    if isinstance(value, tuple):
        status, body = value
    else:
        status, body = 200, value
    return Answer(status, body if isinstance(body, bytes) else json.dumps(body).encode())


@pytest.fixture
def creatio() -> ScriptedCreatio:
    return ScriptedCreatio()


@dataclass
class Slept:
    seconds: list[float] = field(default_factory=list)

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture
def slept() -> Slept:
    return Slept()


@pytest.fixture
def waiting(slept: Slept) -> Waiting:
    return Waiting(interval=5, limit=50, sleep=slept)
