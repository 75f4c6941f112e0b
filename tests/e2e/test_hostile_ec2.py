"""A proxy before EC2 that answers one operation without end: what it does to a takeover, beside a quiet one.

Every other call goes through to the lab. One operation that drips, or never stops, takes nothing from the
others, and a call that is given up is ended.
"""

from __future__ import annotations

import http.client
import http.server
import os
import threading
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n"
FLOOD = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
FAIR, GRAIN = 1.2, 2.0  # times the quiet takeover, and seconds for a busy machine
MEMORY_MB = 16.0


class Proxy(http.server.ThreadingHTTPServer):
    """Passes on to the lab, but for `wrong` operations, whose answers are made by `answer`."""

    daemon_threads = True

    def __init__(self, url: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lab = urlsplit(url).netloc
        self.wrong: frozenset[str] = frozenset()
        self.flood = False
        self.hostile = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Proxy

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        (action,) = parse_qs(body.decode())["Action"]
        if action in self.server.wrong:
            self._never_end()
            return
        lab = http.client.HTTPConnection(self.server.lab, timeout=10)
        lab.request("POST", self.path, body, dict(self.headers))
        answer = lab.getresponse()
        text = answer.read()
        lab.close()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers.get("Content-Type", "text/xml"))
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _never_end(self) -> None:
        self.server.hostile += 1
        self.close_connection = True
        try:
            self.wfile.write(HEAD)
            for _ in range(300):
                self.wfile.write(FLOOD if self.server.flood else b"1\r\n<\r\n")
                time.sleep(0 if self.server.flood else 0.1)
        except OSError:
            return  # ended by the daemon, as it should

    def log_message(self, *words: object) -> None:
        pass


def _memory_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _takeover(pair, taker: str) -> float:
    """From the death of the holder's service until the other member is active, in seconds."""
    dying, member = pair.by_name[pair.holder()], pair.by_name[taker]
    member.until(lambda status: all(probe["state"] == "up" for probe in status["probes"]), "probes up")
    time.sleep(1.1)  # the cooldown of the harness's file
    began = time.monotonic()
    dying.service.shut()
    member.until(lambda status: status["role"] == "active", f"{taker} active")
    took = time.monotonic() - began
    dying.service.open()
    return took


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("flood", [False, True], ids=["dripping", "flooding"])
def test_an_operation_without_end_takes_nothing_from_a_takeover(idle_pair, flood):
    """Instances, types and subnets without end: the ENIs are looked at, detached and attached as ever."""
    proxy = Proxy(idle_pair.lab.ec2_url)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        for member in idle_pair.members:
            member.environment["AWS_ENDPOINT_URL_EC2"] = proxy.url
        idle_pair.start()
        quiet = [_takeover(idle_pair, taker) for taker in ("beta", "alpha")]
        memory = {member.name: _memory_mb(member.process.pid) for member in idle_pair.members}

        proxy.flood = flood
        proxy.wrong = frozenset({"DescribeInstances", "DescribeInstanceTypes", "DescribeSubnets"})
        attacked = [_takeover(idle_pair, taker) for taker in ("beta", "alpha")]
        grown = {
            member.name: _memory_mb(member.process.pid) - memory[member.name] for member in idle_pair.members
        }
    finally:
        proxy.shutdown()
        proxy.server_close()

    assert proxy.hostile >= 2
    assert max(attacked) <= max(quiet) * FAIR + GRAIN
    assert max(grown.values()) <= MEMORY_MB
