"""The container image, as far as it shows without an engine: health check, sources, locks."""

import http.server
import json
import re
import shlex
import socketserver
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


class UnixServer(socketserver.UnixStreamServer):
    """http.server on a Unix socket."""

    def get_request(self):
        """The connection, with an address that http.server can print."""
        return super().get_request()[0], ("local", 0)


@pytest.fixture(params=[200, 503])
def livez(request, tmp_path):
    """A control socket whose /livez answers with this status; the status."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(request.param if self.path == "/livez" else 404)
            self.end_headers()

        def log_message(self, *_):
            pass

    with UnixServer(str(tmp_path / "orders.sock"), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield request.param
        server.shutdown()
        thread.join()


def healthcheck(directory):
    """The image's health check, looking into this directory; the finished command."""
    (command,) = re.findall(
        r"^HEALTHCHECK .*\\\n +CMD (\[.*\])$", (ROOT / "Dockerfile").read_text(), re.MULTILINE
    )
    python, option, code = json.loads(command)

    assert (python, option) == ("/opt/eni-failover/bin/python3", "-c")
    assert "/run/eni-failover/" in code
    code = code.replace("/run/eni-failover/", f"{directory}/")
    return subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, timeout=30, check=False)


def test_the_images_health_is_livez(livez, tmp_path):
    """The image is healthy while /livez on the control socket answers 200, and only then."""
    assert healthcheck(tmp_path).returncode == (0 if livez == 200 else 1)


def test_the_image_without_a_daemon_is_not_healthy(tmp_path):
    """Without a control socket the health check fails."""
    assert healthcheck(tmp_path).returncode == 1


def test_the_image_is_made_of_what_the_build_may_see():
    """Every file that the Dockerfile copies exists and is let through by .dockerignore."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    copies = [
        shlex.split(line)[1:-1] for line in re.findall(r"^COPY (?!--from).*$", dockerfile, re.MULTILINE)
    ]
    copied = {source for sources in copies for source in sources}
    ignore = (ROOT / ".dockerignore").read_text().splitlines()

    assert all((ROOT / source).exists() for source in copied)
    assert copied == {line.removeprefix("!") for line in ignore if line.startswith("!")}


def test_the_image_installs_from_locks_only():
    """Every pip install of the image checks hashes or has no index."""
    installs = re.findall(r"pip install ([^\\\n]*)", (ROOT / "Dockerfile").read_text())

    assert len(installs) == 3
    assert all("--require-hashes" in one or "--no-index" in one for one in installs)
