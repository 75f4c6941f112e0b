"""A fresh network namespace for a test."""

import asyncio
import itertools
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pyroute2 import netns

_numbers = itertools.count()


@pytest.fixture
def inside() -> Iterator[Callable[[Callable[[], Any]], Any]]:
    """Runs a coroutine function in a thread that lives in a fresh network namespace."""
    name = f"enif-{os.getpid()}-{next(_numbers)}"
    netns.create(name)

    def run(main: Callable[[], Any]) -> Any:
        results: list[Any] = []

        def body() -> None:
            netns.setns(name)
            try:
                results.append((asyncio.run(main()), None))
            except Exception as error:  # noqa: BLE001 - raised again in the test's own thread
                results.append((None, error))

        thread = threading.Thread(target=body)
        thread.start()
        thread.join(30)
        result, error = results[0]
        if error is not None:
            raise error
        return result

    yield run
    netns.remove(name)
