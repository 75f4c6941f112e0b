"""A group whose members have recognisable secrets everywhere, and all that is shown and written of them."""

from __future__ import annotations

import contextlib
import socket
import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.e2e.harness import QUICK, Group, Member
from tests.fuzz.raw_server import http

STATIC = {
    "AWS_ACCESS_KEY_ID": "AKIALABSTATIC0000000",
    "AWS_SECRET_ACCESS_KEY": "never-shown-static-key",
    "AWS_SESSION_TOKEN": "never-shown-static-session",
}
PROXIES = dict.fromkeys(("HTTP_PROXY", "http_proxy"), "http://user:never-shown-proxy@127.0.0.1:1")
# Another loopback address than that of IMDS, which no proxy is ever used for.
BEHIND = {"NO_PROXY": "", "no_proxy": "", "AWS_ENDPOINT_URL_EC2": "http://127.0.0.2:1"}
ENDPOINT = "http://user:never-shown-endpoint@127.0.0.1:1"

PROBES = """
[[probe]]
name = "web"
type = "http"
url = "http://{{address}}:{service}/?key=never-shown-query"
bearer_token_file = "{directory}/token"
interval = "100ms"
timeout = "500ms"
fall = 3
rise = 1
[[probe]]
name = "basic"
type = "http"
scope = "witness"
url = "http://127.0.0.1:{service}/?key=never-shown-query"
headers = {{ Authorization = "Basic never-shown-basic", X-Api-Key = "never-shown-header" }}
interval = "200ms"
[[probe]]
name = "refused"
type = "http"
scope = "witness"
url = "http://127.0.0.1:1/?key=never-shown-query"
headers = {{ Authorization = "Basic never-shown-basic" }}
interval = "200ms"
[[probe]]
name = "program"
type = "exec"
scope = "witness"
command = ["{directory}/dump", "exec"]
"""

HOOKS = """
[hooks]
on_active = ["{directory}/dump", "hook"]
on_standby = ["{directory}/dump", "hook"]
notify = ["{directory}/dump", "hook"]
"""

DUMP = """#!/bin/sh
umask 077
env >"{directory}/env.$1.$$"
cat "/proc/$PPID/cmdline" >"{directory}/cmdline.$$"
"""

WRONG = """
[[probe]]
name = "one"
type = "http"
url = "http://user:never-shown-url@{address}/"
[[probe]]
name = "two"
type = "http"
url = "http://{address}/"
headers = "Authorization: Bearer never-shown-misplaced"
bearer_token = "never-shown-misplaced"
password = "never-shown-misplaced"
[[probe]]
name = "three"
type = "http"
url = "http://{address}/"
headers = { Authorization = ["never-shown-misplaced"] }
[[probe]]
name = "four"
type = "http"
url = "http://{address}/"
headers = { X = "never-shown-misplaced {x}" }
[[probe]]
name = "five"
type = "http"
url = "http://{address}/"
headers = { X = "never-shown-misplaced\\u0000" }
"""


class _Site(BaseHTTPRequestHandler):
    """The service: who brings the tokens is served, and the rest is told what it brought."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.seen.append(str(self.headers))
        body = f"you sent {self.path} {self.headers}".encode()
        self.send_response(200)
        self.send_header("Set-Cookie", "session=never-shown-cookie")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        pass


@contextlib.contextmanager
def site(address: str, port: int) -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer((address, port), _Site)
    server.seen = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def echo(connection: socket.socket, asked: bytes) -> None:
    """A debugging proxy: no answer of EC2, but what was asked, the session's token first."""
    lines = sorted(asked.split(b"\r\n"), key=lambda line: not line.lower().startswith(b"x-amz-security"))
    connection.sendall(http(b"\n".join(lines)))


def prepare(group: Group) -> None:
    """Files of each member: the token, the programs, the configuration."""
    for member in group.members:
        directory = member.directory
        (directory / "token").write_text("never-shown-bearer\n")
        (directory / "dump").write_text(DUMP.format(directory=directory))
        (directory / "dump").chmod(0o755)
        rest = QUICK + HOOKS.format(directory=directory)
        probe = PROBES.replace("{directory}", str(directory))
        member.write(group.text(member, probe, rest).replace("[policy]", '[policy]\ndown_when = "all"'))


def everything(group: Group) -> dict[str, str]:
    """All that the daemons have written, by file."""
    found = {}
    for path in sorted(group.directory.rglob("*")):
        if stat.S_ISREG(path.lstat().st_mode) and path.name not in {"token", "config.toml"}:
            found[str(path.relative_to(group.directory))] = path.read_text(errors="replace")
    return found


def shown(member: Member) -> dict[str, str]:
    """All that a daemon and its commands show."""
    pages = {path: member.ask("GET", path)[1] for path in ("/", "/status", "/metrics", "/readyz")}
    commands = (["status"], ["status", "--json"], ["history", "--json"], ["check"], ["check", "--json"])
    for words in commands:
        done = member.command(*words)
        pages[" ".join(words)] = done.stdout + done.stderr
    return {f"{member.name} {name}": text for name, text in pages.items()}


def check_hidden(texts: dict[str, str], secrets: set[str]) -> None:
    """None of the secrets is in any of the texts."""
    leaks = [(name, secret) for name, text in texts.items() for secret in secrets if secret in text]

    assert leaks == []
