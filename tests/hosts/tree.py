"""What the hosts of these tests are made of: Debian's files, wheels, the README's steps.

Owns: the files that a host begins with. What is downloaded once is kept in build/.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parent.parent.parent
BUILD = ROOT / "build"
LOCK = ROOT / "requirements.lock"

# There is no internet in here. The fake EC2 takes the place of AWS's own end point, for all that runs.
EC2 = {"AWS_ENDPOINT_URL_EC2": "http://10.0.0.2"}
PIP_CONF = "[global]\nno-index = yes\nfind-links = /wheels\ndisable-pip-version-check = yes\n"
MANAGER = f"[Manager]\nDefaultEnvironment={' '.join(f'{name}={value}' for name, value in EC2.items())}\n"

PIP_INSTALL = "/opt/eni-failover/bin/pip install --no-index --no-deps"

# What the pair serves: answers /healthz while it runs.
WEB = """\
import http.server

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""
WEB_UNIT = """\
[Service]
ExecStart=/usr/bin/python3 /usr/local/lib/web.py
KillSignal=SIGKILL
[Install]
WantedBy=multi-user.target
"""


def debian(directory):
    """Unpacks a Debian with systemd, below this directory."""
    subprocess.run([ROOT / ".ci" / "debian", BUILD / "debian.tar"], check=True, timeout=600)
    tree = directory / "debian"
    tree.mkdir()
    subprocess.run(["tar", "-C", tree, "-xf", BUILD / "debian.tar"], check=True, timeout=120)
    return tree


def wheels():
    """A directory with all that requirements.lock names, for the Python of Debian 12."""
    directory = BUILD / f"wheels-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"
    if not directory.exists():
        fresh = directory.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        options = ["--require-hashes", "--python-version=3.11", "--only-binary=:all:", f"--dest={fresh}"]
        subprocess.run([*pip, *options, f"--requirement={LOCK}"], check=True, timeout=300)
        fresh.rename(directory)
    return directory


def wheel(directory):
    """This checkout as a wheel, in this directory."""
    (path,) = WheelBuilder(str(ROOT)).build(directory=str(directory), versions=["standard"])
    return Path(path)


def furnisher(wheel):
    """What gives a host all that is there before the README's first step."""

    def furnish(machine):
        machine.put("/etc/pip.conf", PIP_CONF)
        machine.put("/etc/systemd/system.conf.d/ec2.conf", MANAGER)
        machine.put("/usr/local/lib/web.py", WEB)
        machine.put("/etc/systemd/system/web.service", WEB_UNIT)
        wants = machine.upper / "etc/systemd/system/multi-user.target.wants"
        wants.mkdir(parents=True)
        (wants / "web.service").symlink_to("/etc/systemd/system/web.service")
        (machine.upper / "root").mkdir(mode=0o700)
        shutil.copy(LOCK, machine.upper / "root")
        shutil.copy(wheel, machine.upper / "root")

    return furnish


def readme(heading):
    """The `sh` blocks below a heading of README.md, each as its commands, comments removed."""
    section = (ROOT / "README.md").read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return [[command for line in block.splitlines() if (command := _command(line))] for block in blocks]


def make_python(machine):
    """The README's line for Debian 12, whose package is in the tree."""
    (line,) = re.findall(r"^\| Debian 12 \| `(.*)` \|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    install, _, command = line.partition(" && ")
    assert install == "apt-get install -y python3.11-venv"
    machine.run(f"dpkg --status python3.11-venv && {command}", timeout=120)


def install(machine):
    """The README's first steps: Python, program, units."""
    make_python(machine)
    walk(machine, readme("Install")[0])


def walk(machine, commands):
    """Runs these as typed into one shell; what was printed. The first failure is the end."""
    return machine.run("set -ex\n" + "\n".join(commands), timeout=180).stdout


def side_by_side(work, machines):
    """The results of work(machine), in the machines' order, all at once."""
    results = {}

    def run(machine):
        try:
            results[machine.name] = work(machine)
        except Exception as error:  # noqa: BLE001 - raised below
            results[machine.name] = error

    threads = [threading.Thread(target=run, args=(machine,)) for machine in machines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results.values():
        if isinstance(result, Exception):
            raise result
    return [results[machine.name] for machine in machines]


def _command(line):
    """A line without its comment."""
    return re.sub(r"(^|\s+)#\s.*$", "", line).strip()
