"""A group on the net world whose daemons are containers of the image, each with its member's network."""

from __future__ import annotations

import os
import subprocess

from e2e_net_harness import NetGroup, NetMember
from image_container import UID, Container

# Where the image has what a member keeps; a tmpfs or a volume of the operator's.
VOLUMES = {"etc": "/etc/eni-failover", "run": "/run/eni-failover", "state": "/var/lib/eni-failover"}


class ContainerMember(NetMember):
    """A member whose daemon is PID 1 of a container, run as `docker run --network host` would."""

    def __init__(self, group, name):
        super().__init__(group, name)
        for folder in VOLUMES:
            (self.directory / folder).mkdir()
            os.chown(self.directory / folder, UID, UID)
        self.config = self.directory / "etc" / "config.toml"
        self.socket = self.directory / "run" / "orders.sock"
        self.role_file = self.directory / "run" / "orders.role"
        self.state = self.directory / "state" / "orders"
        self.container = None

    def write(self, text):
        """The configuration, with the paths that the container sees."""
        for folder, inside in VOLUMES.items():
            text = text.replace(f"{self.directory / folder}/", f"{inside}/")
        super().write(text)

    def start(self):
        image = self.group.image
        self.container = Container(
            image,
            self.directory,
            *(*image.config["Entrypoint"], *image.config["Cmd"]),
            **self.group.options,
            mounts=[(self.directory / folder, inside) for folder, inside in VOLUMES.items()],
            env=self.net.env(self.name),
        )
        with self.log.open("ab") as log:
            self.process = self.net.spawn(
                self.name,
                self.container.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self

    def is_healthy(self):
        """What the image's own health check finds, within the time that it has."""
        check = self.group.image.config["Healthcheck"]
        kind, *words = check["Test"]
        assert kind == "CMD"
        return self.container.execute(*words, within=check["Timeout"] / 1e9).returncode == 0

    def stop(self):
        """What `docker stop` does; the exit status."""
        self.container.signal(self.group.image.config["StopSignal"])
        return self.process.wait(15)


def group_of(image, **options):
    """The kind of group whose members are containers of this image; `options`: those of `Container`."""
    facts = {"member_kind": ContainerMember, "image": image, "options": options}
    return type("ContainerGroup", (NetGroup,), facts)
