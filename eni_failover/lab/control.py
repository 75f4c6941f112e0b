"""The director's door: the world's verbs and state as JSON under `/_lab/`.

Owns: which verbs are open to HTTP, and the JSON of state and calls. Must not know: what a verb does. Does
not guarantee: protection from other processes of this machine; the lab listens on loopback and holds no
secret.

    GET  /_lab/state            the world
    GET  /_lab/calls?since=N    the calls from the N-th on (from 0)
    GET  /_lab/verbs            what can be asked
    POST /_lab/VERB             asks it, with the verb's arguments as a JSON object
"""

import dataclasses
import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from math import isfinite
from typing import Any, Final

from aiohttp import web

from eni_failover.lab.errors import Ec2Error
from eni_failover.lab.world import World

VERBS: Final = (
    "add_eni",
    "add_instance",
    "add_subnet",
    "allow",
    "change_eni",
    "change_instance",
    "clear_calls",
    "clear_faults",
    "configure",
    "deny",
    "drain",
    "expire_credentials",
    "fault",
    "fill",
    "imds_down",
    "imds_up",
    "impair",
    "place",
    "reachable",
    "reboot_instance",
    "remove_eni",
    "remove_instance",
    "set_durations",
    "set_lag",
    "set_latency",
    "set_state",
    "start_instance",
    "stick_attach",
    "stick_detach",
    "stop_instance",
    "take",
    "terminate_instance",
    "unreachable",
    "unstick_attach",
    "unstick_detach",
)
"""Methods of `World` that `POST /_lab/VERB` calls."""


def jsonable(value: Any) -> Any:
    """Records as JSON objects; times that never come (infinite) as null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: jsonable(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [jsonable(item) for item in value]
    if isinstance(value, float) and not isfinite(value):
        return None
    return value


def control_routes(world: World, sync: Callable[[], Awaitable[None]]) -> list[web.RouteDef]:
    """The routes; `sync` is awaited after each verb: its effect on sockets is there with the answer."""

    async def state(_: web.Request) -> web.Response:
        with world.locked():
            shown = {"now": world.now, "settings": world.settings, "faults": world.faults}
            return web.json_response(jsonable(shown | {"state": world.state}))

    async def calls(request: web.Request) -> web.Response:
        since = request.query.get("since", "0")
        if not since.isdecimal():
            return _refused(400, f"since: not a number: {since}")
        return web.json_response(jsonable(world.calls[int(since) :]))

    async def verbs(_: web.Request) -> web.Response:
        return web.json_response({verb: _describe(getattr(World, verb)) for verb in VERBS})

    async def act(request: web.Request) -> web.Response:
        verb = request.match_info["verb"]
        if verb not in VERBS:
            return _refused(404, f"no verb {verb!r}; GET /_lab/verbs lists them")
        response = _call(getattr(world, verb), await request.text())
        await sync()
        return response

    return [
        web.get("/_lab/state", state),
        web.get("/_lab/calls", calls),
        web.get("/_lab/verbs", verbs),
        web.post("/_lab/{verb}", act),
    ]


def _describe(verb: Callable[..., Any]) -> dict[str, str]:
    parameters = [str(p) for name, p in inspect.signature(verb).parameters.items() if name != "self"]
    return {"arguments": ", ".join(parameters), "does": (inspect.getdoc(verb) or "").partition("\n")[0]}


def _call(verb: Callable[..., Any], text: str) -> web.Response:
    try:
        arguments = json.loads(text or "{}")
        if not isinstance(arguments, dict):
            return _refused(400, "the body must be a JSON object of arguments")
        result = verb(**arguments)
    except Ec2Error as error:
        return web.json_response({"error": error.code, "message": error.message}, status=409)
    except (KeyError, TypeError, ValueError) as error:
        return _refused(400, str(error.args[0] if error.args else error))
    return web.json_response({"result": jsonable(result)})


def _refused(status: int, message: str) -> web.Response:
    return web.json_response({"error": "bad_request", "message": message}, status=status)
