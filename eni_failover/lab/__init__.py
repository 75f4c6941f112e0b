"""A strict fake of the part of EC2 that moves network interfaces, and of IMDSv2, on loopback.

Owns: everything needed to see a failover without an AWS account. It stands by itself: it imports nothing else
of this package, so that it cannot share a mistake with the daemon. Must not know: the daemon. Does not
guarantee: that AWS does what its documentation says; where that is silent, both plausible answers are
settings. It does not verify signatures (the access key id names the caller, the secret is not looked at),
speaks no TLS and knows fourteen actions.

In a synchronous test, or beside a process that is to be tried, in a thread of its own:

    from eni_failover.lab import LabThread, World

    with LabThread(World.pair(members=2, enis=1)) as lab:
        client = boto3.client("ec2", endpoint_url=lab.ec2_url, region_name="eu-central-1", ...)
        subprocess.Popen([...], env={**os.environ, **lab.env("beta")})      # finds EC2 and its own IMDS
        lab.world.stick_detach("floating-1")                                # from now on only force helps
        lab.world.fault("lost", "AttachNetworkInterface", caller="beta")    # works, but the answer gets lost

In a program that has an event loop: `async with Lab(world) as lab`. For a person: the command
`eni-failover lab`, which is `serve`. With real hosts, links and packets around it, for root: `lab.net`.

Without sockets, in virtual time, with parameters and answers as in boto3:

    now = 0.0
    world = World.pair(clock=lambda: now, wall=lambda: 1_800_000_000 + now)
    world.call("DetachNetworkInterface", {"AttachmentId": ...}, caller="beta")     # Ec2Error, NoAnswerError
    now += 3.0                                                                     # the ENI is available

`World.pair` makes members alpha (i-0aaaaaaaaaaaaaaa1, 10.0.1.11), beta, gamma, ... in one zone, each with its
primary ENI, and floating ENIs (eni-0ffffffffffffff01 "floating-1", 10.0.1.101, ...) on alpha at device index
1 and up. Instances and ENIs are named by id or by Name tag.

Looking: `world.state` (frozen records), `world.eni(ref)`, `world.instance(ref)`, `world.calls` (who called
what, with which code, whether it took effect), `world.subscribe(listener)` for each change as it happens.

Directing: methods of `World`, which any thread may call; several as one step within `world.locked()`:

    place, take, add_instance, add_eni, add_subnet, change_*, remove_*    what is there, and where
    stop_, start_, reboot_, terminate_instance, set_state, impair         how instances fare
    set_durations, stick_, unstick_detach, stick_, unstick_attach         how long things take, or for ever
    fault, clear_faults                                                   see `FaultKind`
    deny, allow, unreachable, reachable, drain, fill                      IAM, the network, token buckets
    imds_down, imds_up, expire_credentials                                see `ImdsKind`
    configure, set_latency, set_lag                                       see `Settings`

The same over HTTP on the port of EC2, so that another process or a person with curl can direct the play:

    curl $URL/_lab/state; curl $URL/_lab/calls; curl $URL/_lab/verbs
    curl $URL/_lab/stop_instance -d '{"instance": "alpha"}'
"""

from eni_failover.lab.engine import CallRecord
from eni_failover.lab.errors import Ec2Error, LabError, NoAnswerError
from eni_failover.lab.faults import FaultKind, ImdsKind
from eni_failover.lab.serve import ServeOptions, serve
from eni_failover.lab.server import Lab
from eni_failover.lab.settings import Durations, MovingStatus, Settings
from eni_failover.lab.thread import LabThread
from eni_failover.lab.timeline import StateChange
from eni_failover.lab.world import World

__all__ = [
    "CallRecord",
    "Durations",
    "Ec2Error",
    "FaultKind",
    "ImdsKind",
    "Lab",
    "LabError",
    "LabThread",
    "MovingStatus",
    "NoAnswerError",
    "ServeOptions",
    "Settings",
    "StateChange",
    "World",
    "serve",
]
