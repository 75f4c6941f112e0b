"""What goes wrong: each fault is one function that does it and gives what mends it, or None.

Owns the list and its weights. Must not know what is forbidden. Does not guarantee that a fault has an
effect: a service that is down may be taken down again.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.sim.sim_disk import Health
from tests.sim.sim_host import HotPlug, Service

if TYPE_CHECKING:
    from tests.sim.sim_world import World

Mending = Callable[[], object]
Mend = Mending | None
Fault = Callable[["World", random.Random], Mend]

SHORT, LONG = 10.0, 120.0
HANGS_FOR = 1200.0


def one_of(world: World, rng: random.Random) -> str:
    """A member whose instance there is."""
    return rng.choice(world.present())


def holder_of(world: World, rng: random.Random) -> str:
    """Mostly the member that has the first ENI: there a fault matters most."""
    holder = world.holder()
    return holder if holder in world.present() and rng.random() < 0.7 else one_of(world, rng)


def standby_of(world: World, rng: random.Random) -> str:
    """A member that does not have it."""
    return rng.choice([one for one in world.members if one != world.holder()])


# The service and the host --------------------------------------------------------------------------


def service_down(world: World, rng: random.Random) -> Mending:
    """The holder's service refuses, or hangs."""
    name = holder_of(world, rng)
    return set_service(world, name, rng.choice((Service.DOWN, Service.DOWN, Service.HANGS)))


def set_service(world: World, name: str, service: Service) -> Mending:
    """The service on a host is like this from now on."""
    world.say("fault", name, "service", service)
    world.hosts[name].service = service
    world.refresh()

    def mend() -> None:
        world.hosts[name].service = Service.UP
        world.say("mend", name, "service up")
        world.refresh()

    return mend


def instance_stops(world: World, rng: random.Random) -> Mend:
    """EC2 stops the holder's instance."""
    name = holder_of(world, rng)
    if not world.is_running(name):
        return None
    world.say("fault", name, "stops")
    world.lab.stop_instance(name, force=rng.random() < 0.5)
    return lambda: world.guests.power_on(name)


def instance_reboots(world: World, rng: random.Random) -> Mend:
    """The guest restarts; EC2 goes on saying `running`."""
    name = holder_of(world, rng)
    if world.is_running(name):
        world.say("fault", name, "reboots")
        world.lab.reboot_instance(name)
        world.guests.power_off(name)
        world.guests.boot(name)
    return None


def host_hangs(world: World, rng: random.Random) -> Mend:
    """Nothing on the host runs, and it does not know: a frozen hypervisor."""
    name = holder_of(world, rng)
    seconds = rng.uniform(1.0, LONG)
    world.guests.hang(name, seconds)
    return None


def host_sleeps(world: World, rng: random.Random) -> Mend:
    """Suspended: nothing runs, the clock goes on, and no timer does."""
    world.guests.sleep(holder_of(world, rng), rng.uniform(0.5, 3 * LONG) * rng.random())
    return None


def standby_sleeps(world: World, rng: random.Random) -> Mend:
    """A host that watches the holder is suspended."""
    world.guests.sleep(standby_of(world, rng), rng.uniform(0.5, LONG) * rng.random())
    return None


def instance_terminates(world: World, rng: random.Random) -> Mend:
    """An instance ends for good; at least one member stays, and no more than one goes."""
    name = holder_of(world, rng)
    if not any(world.is_gone(one) for one in world.members) and rng.random() < 0.15:
        world.say("fault", name, "terminates")
        world.lab.terminate_instance(name)
    return None


def hot_plug_breaks(world: World, rng: random.Random) -> Mend:
    """The next ENI attached to this host gets no link, or no address."""
    name = one_of(world, rng)
    kind = rng.choice((HotPlug.NEVER, HotPlug.BARE))
    world.say("fault", name, "hot plug", kind)
    world.hosts[name].hot_plug = kind
    return lambda: world.guests.replug(name)


# The daemon ----------------------------------------------------------------------------------------


def daemon_killed(world: World, rng: random.Random) -> Mend:
    """SIGKILL, now."""
    name = one_of(world, rng)
    world.say("fault", name, "daemon killed")
    world.members[name].kill()
    return world.members[name].start


def daemon_killed_at_an_await(world: World, rng: random.Random) -> Mend:
    """SIGKILL between any two steps of its loop, when something is under way."""
    name, steps = one_of(world, rng), rng.randint(0, 120)
    member = world.members[name]
    world.say("fault", name, "daemon will be killed after", steps, "steps")
    member.kill_soon(steps)

    def mend() -> None:
        member.spare()
        member.start()

    return mend


def taker_dies(world: World, rng: random.Random) -> Mend:
    """Whoever takes over next is killed in the middle of it, and perhaps its whole instance with it."""
    world.say("fault", "the next taker will die")
    for member in world.members.values():
        member.dies_taking = rng.randint(0, 200)
    if rng.random() < 0.4:
        world.when_taking(rng.uniform(0.0, 6.0), lambda: _stop_the_dead(world))

    def mend() -> None:
        for member in world.members.values():
            member.spare()
            member.start()

    return mend


def taker_dies_attaching(world: World, rng: random.Random, *, silently: bool = False) -> Mend:
    """Whoever attaches next dies at it, EC2 says so or not, and EC2 never ends that attach."""
    world.say("fault", "the next attach will never end")
    silently = silently or rng.random() < 0.7
    world.when_attaching(lambda eni, name: _never_end(world, eni, name, silently=silently))
    return world.when_attaching_no_more


def _never_end(world: World, eni: str, name: str, *, silently: bool) -> None:
    attachment = world.lab.eni(eni).attachment
    if attachment is None or not world.is_running(name):
        return
    world.say("fault", name, "dies, attaching", eni)
    world.endless.add(attachment.id)
    world.lab.stick_attach(eni)
    world.lab.change_eni(eni, attach_stuck=False)  # the next attach ends
    if silently:
        world.guests.hang(name, HANGS_FOR)
    else:
        world.lab.stop_instance(name, force=True)


def _stop_the_dead(world: World) -> None:
    for name, member in world.members.items():
        if member.daemon is None and world.is_running(name):
            world.say("fault", name, "stops")
            world.lab.stop_instance(name)


def daemon_restarts(world: World, rng: random.Random) -> Mend:
    """An upgrade."""
    name = one_of(world, rng)
    world.say("fault", name, "daemon restarts")
    world.members[name].kill()
    world.later(rng.uniform(0.3, 3.0), world.members[name].start)
    return None


def loop_stalls(world: World, rng: random.Random) -> Mend:
    """The process does not run for a while: swapping, SIGSTOP, a busy host."""
    name, seconds = one_of(world, rng), rng.choice((0.4, 2.0, 8.0, 30.0)) * rng.random()
    if rng.random() < 0.5:
        world.say("fault", name, f"stalls for {seconds:.3f} s")
        world.members[name].freeze(seconds)
    else:
        world.say("fault", name, f"will stall for {seconds:.3f} s while a probe waits")
        world.members[name].stalls_probing = seconds
    return None


def standby_stalls(world: World, rng: random.Random) -> Mend:
    """A process that watches the holder stands still for longer than what it decided before may count."""
    name, seconds = standby_of(world, rng), rng.uniform(3.0, 12.0)
    world.say("fault", name, f"stalls for {seconds:.3f} s")
    world.members[name].freeze(seconds)
    return None


def disk_fails(world: World, rng: random.Random) -> Mend:
    """Full, slow, or it hangs."""
    name = one_of(world, rng)
    disk = world.hosts[name].disk
    disk.health = rng.choice((Health.FULL, Health.SLOW, Health.HANGS))
    world.say("fault", name, "disk", disk.health)
    world.audit.forgive(name)

    def mend() -> None:
        world.audit.forgive(name)
        disk.mend()

    return mend


def journal_torn(world: World, rng: random.Random) -> Mend:
    """The daemon dies and its journal ends in garbage, or is gone."""
    name = one_of(world, rng)
    member = world.members[name]
    member.kill()
    world.audit.forgive(name)
    gone = rng.random() < 0.3
    world.say("fault", name, "journal", "gone" if gone else "torn")
    for path in sorted(world.hosts[name].disk.directory.glob("*.jsonl")):
        if gone:
            path.unlink()
        else:
            with path.open("ab") as file:
                file.write(b'{"kind":"memory","gro\xff')
    return member.start


def clock_jumps(world: World, rng: random.Random) -> Mend:
    """The wall clock is set, forward or back, for good."""
    name = one_of(world, rng)
    by = rng.choice((-7200.0, -30.0, -1.0, 1.0, 30.0, 7200.0)) * rng.random()
    world.say("fault", name, f"clock jumps by {by:.3f} s")
    world.hosts[name].skew += by
    world.hosts[name].is_clock_set = True
    return None


FAULTS: tuple[tuple[Fault, int], ...] = (
    (service_down, 14),
    (instance_stops, 5),
    (instance_reboots, 3),
    (host_hangs, 4),
    (host_sleeps, 4),
    (standby_sleeps, 3),
    (instance_terminates, 1),
    (hot_plug_breaks, 2),
    (daemon_killed, 4),
    (daemon_killed_at_an_await, 6),
    (taker_dies, 8),
    (taker_dies_attaching, 4),
    (daemon_restarts, 4),
    (loop_stalls, 6),
    (standby_stalls, 2),
    (disk_fails, 3),
    (journal_torn, 2),
    (clock_jumps, 5),
)
"""Each with how often it is drawn."""
