"""The scenarios' verbs: what each does to the world.

ENIs are named by their number in the file, `1` being the lock; members by name. Seconds throughout.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from tests.sim.sim_disk import Health
from tests.sim.sim_faults import set_service
from tests.sim.sim_host import HotPlug, Service
from tests.sim.sim_network import API, WITNESS
from tests.sim.sim_partitions import cut
from tests.sim.sim_trouble import script
from tests.sim.sim_world import World

Names = list[str]
Options = Mapping[str, str]
Verb = Callable[[World, Names, Options], object]

LONGEST = 7_200.0


def _eni(world: World, number: str) -> str:
    return world.plan.eni_ids[int(number) - 1]


def _run(world: World, names: Names, options: Options) -> None:
    """`run 20`, or `run until beta` holds everything and is active."""
    if names[0] != "until":
        world.run(float(names[0]))
        return
    member = world.members[names[1]]
    whole = {names[1]}

    def is_so() -> bool:
        return set(world.where()) == whole and member.state is not None and member.state.role == "active"

    if not world.run(float(options.get("within", LONGEST)), until=is_so):
        world.say("scene", "never", *names[1:])


def _service(world: World, names: Names, options: Options) -> None:
    set_service(world, names[0], Service(names[1]))


def _cut(world: World, names: Names, options: Options) -> None:
    """`cut alpha beta`: both ways; `cut alpha beta oneway`: nothing of alpha's reaches beta."""
    ways = ((names[0], names[1]), (names[1], names[0]))
    cut(world, ways[:1] if "oneway" in names else ways)


def _isolate(world: World, names: Names, options: Options) -> None:
    others = [one for one in world.members if one != names[0]] + [WITNESS, API]
    cut(world, tuple(way for other in others for way in ((names[0], other), (other, names[0]))))


def _heal(world: World, names: Names, options: Options) -> None:
    world.say("mend", "network")
    world.network.heal_all()
    world.refresh()


def _api(world: World, names: Names, options: Options) -> None:
    """`api lost AttachNetworkInterface count=1`: the next calls fare so; `api well`: no more."""
    if names[0] == "well":
        world.say("mend", "api")
        world.lab.clear_faults()
        world.lab.allow()
        world.lab.fill()
        world.api_back()
        return
    how: dict[str, object] = {key: value for key, value in options.items() if key in {"caller", "code"}}
    count = options.get("count", "1")
    how["count"] = None if count == "all" else int(count)
    if "seconds" in options:
        how["seconds"] = float(options["seconds"])
    script(world, names[0], names[1], **how)


def _outage(world: World, names: Names, options: Options) -> None:
    """`outage alpha hang`: EC2 does not answer this member."""
    world.say("fault", "api", "outage", *names)
    world.lab.unreachable(names[0], names[1])


def _deny(world: World, names: Names, options: Options) -> None:
    world.say("fault", "api", "denies", *names)
    world.lab.deny(names[0], names[1] if names[1:] else None)


def _drain(world: World, names: Names, options: Options) -> None:
    """`drain AttachNetworkInterface for=10`: other tenants keep these buckets empty."""
    world.say("fault", "api", "buckets empty", names[0])
    for tenth in range(int(float(options.get("for", "1")) * 10)):
        world.clockwork.after(tenth / 10, lambda: world.lab.drain(names[0]))


def _lag(world: World, names: Names, options: Options) -> None:
    world.say("fault", "api", "reads lag", names[0])
    world.lab.set_lag(float(names[0]))


def _stick(world: World, names: Names, options: Options) -> None:
    """`stick detach 1`."""
    world.say("fault", "stuck", *names)
    stick = world.lab.stick_detach if names[0] == "detach" else world.lab.stick_attach
    stick(_eni(world, names[1]))


def _unstick(world: World, names: Names, options: Options) -> None:
    world.say("mend", "unstuck", *names)
    unstick = world.lab.unstick_detach if names[0] == "detach" else world.lab.unstick_attach
    unstick(_eni(world, names[1]))


def _stop(world: World, names: Names, options: Options) -> None:
    world.say("fault", names[0], "stops")
    world.lab.stop_instance(names[0])


def _boot(world: World, names: Names, options: Options) -> None:
    world.guests.power_on(names[0])


def _terminate(world: World, names: Names, options: Options) -> None:
    world.say("fault", names[0], "terminates")
    world.lab.terminate_instance(names[0])


def _reboot(world: World, names: Names, options: Options) -> None:
    world.say("fault", names[0], "reboots")
    world.lab.reboot_instance(names[0])
    world.guests.power_off(names[0])
    world.guests.boot(names[0])


def _kill(world: World, names: Names, options: Options) -> None:
    """`kill beta`, or `kill beta taking=20`: so many steps after its next takeover has begun."""
    if "taking" in options:
        world.say("fault", names[0], "will be killed while taking")
        world.members[names[0]].dies_taking = int(options["taking"])
    else:
        world.members[names[0]].kill()


def _start(world: World, names: Names, options: Options) -> None:
    for name in names:
        world.members[name].start()


def _freeze(world: World, names: Names, options: Options) -> None:
    world.say("fault", names[0], f"stalls for {names[1]} s")
    world.members[names[0]].freeze(float(names[1]))


def _sleep(world: World, names: Names, options: Options) -> None:
    """`sleep beta 600`: the host is suspended for so long."""
    world.guests.sleep(names[0], float(names[1]))


def _hang(world: World, names: Names, options: Options) -> None:
    world.guests.hang(names[0], float(names[1]))


def _disk(world: World, names: Names, options: Options) -> None:
    world.say("fault", names[0], "disk", names[1])
    if names[1] == Health.WELL:
        world.hosts[names[0]].disk.mend()
    else:
        world.hosts[names[0]].disk.health = Health(names[1])


def _journal(world: World, names: Names, options: Options) -> None:
    """`journal beta torn|gone`: what a killed daemon left."""
    world.say("fault", names[0], "journal", names[1])
    path = world.hosts[names[0]].disk.directory / "journal.jsonl"
    if names[1] == "gone":
        path.unlink()
    else:
        with path.open("ab") as file:
            file.write(b'{"kind":"memory","gro\xff')


def _clock(world: World, names: Names, options: Options) -> None:
    world.say("fault", names[0], "clock jumps by", names[1])
    world.hosts[names[0]].skew += float(names[1])


def _plug(world: World, names: Names, options: Options) -> None:
    """`plug beta never|bare|works`: what becomes of the next ENI attached there."""
    world.say("fault", names[0], "hot plug", names[1])
    if names[1] == HotPlug.WORKS:
        world.guests.replug(names[0])
    else:
        world.hosts[names[0]].hot_plug = HotPlug(names[1])


def _unlink(world: World, names: Names, options: Options) -> None:
    """`unlink alpha 1`: the kernel loses the link, and EC2 knows nothing of it."""
    world.say("fault", names[0], "loses the link of", names[1])
    world.guests.unplug(names[0], _eni(world, names[1]))


def _strip(world: World, names: Names, options: Options) -> None:
    """`strip alpha 1`: somebody flushes its addresses and rules; `strip alpha 1 no`: they are back."""
    link = world.hosts[names[0]].links[_eni(world, names[1])]
    world.say("fault", names[0], "addresses of", names[1], "back" if "no" in names else "gone")
    link.ready_at = world.now if "no" in names else float("inf")
    world.members[names[0]].wake()


def _deaf(world: World, names: Names, options: Options) -> None:
    """`deaf beta`: its probes cannot be sent; `deaf beta no`: they can."""
    world.say("fault", names[0], "probes", "sent again" if "no" in names else "cannot be sent")
    world.hosts[names[0]].is_deaf = "no" not in names
    world.refresh()


def _place(world: World, names: Names, options: Options) -> None:
    """`place 1 nobody`, `place 1 beta index=1`, `place 1 foreign`: somebody else moves an ENI."""
    world.say("human", "moves", *names)
    eni = _eni(world, names[0])
    match names[1]:
        case "nobody":
            world.lab.place(eni, None)
        case "foreign":
            world.lab.take(eni)
        case name:
            world.lab.place(eni, name, index=int(options.get("index", "1")))


def _delete(world: World, names: Names, options: Options) -> None:
    """`delete 2`: somebody deletes an ENI."""
    world.say("human", "deletes", names[0])
    world.lab.remove_eni(_eni(world, names[0]))


def _endless(world: World, names: Names, options: Options) -> None:
    """`endless 1`: EC2 never ends the attach that is under way, of this one alone."""
    world.say("fault", "the attach never ends", names[0])
    world.lab.stick_attach(_eni(world, names[0]))
    world.lab.change_eni(_eni(world, names[0]), attach_stuck=False)


def _doom(world: World, names: Names, options: Options) -> None:
    """`doom 1`: DeleteOnTermination is set on its attachment."""
    world.say("human", "sets DeleteOnTermination of", names[0])
    eni = _eni(world, names[0])
    attachment = world.lab.eni(eni).attachment
    if attachment is not None:
        change = {"AttachmentId": attachment.id, "DeleteOnTermination": True}
        world.lab.call("ModifyNetworkInterfaceAttribute", {"NetworkInterfaceId": eni, "Attachment": change})


def _takeover(world: World, names: Names, options: Options) -> None:
    for name in names:
        world.members[name].console.take_over(timeout=float(options.get("timeout", "120")))


def _pause(world: World, names: Names, options: Options) -> None:
    seconds = float(options["for"]) if "for" in options else None
    world.members[names[0]].console.pause(seconds, local="local" in names)


def _resume(world: World, names: Names, options: Options) -> None:
    world.members[names[0]].console.resume(local="local" in names)


def _reload(world: World, names: Names, options: Options) -> None:
    """`reload beta takeover=observe`: the file with these changes, read again.

    `reload beta trial`: its first probe asks a wrong port, in observe mode; `reload beta renamed`: the
    members have each other's names.
    """
    changes = {key: int(value) if value.isdigit() else value for key, value in options.items()}
    plan, other = world.plan, None
    if "trial" in names:
        other = replace(plan, wrong_port=True, policy={**plan.policy, "takeover": "observe"})
    elif "renamed" in names:
        other = replace(plan, called=(*plan.names[1:], plan.names[0]))
    world.members[names[0]].write_config(other, **changes)
    world.members[names[0]].console.reload()


VERBS: Mapping[str, Verb] = {
    "run": _run,
    "service": _service,
    "cut": _cut,
    "isolate": _isolate,
    "heal": _heal,
    "api": _api,
    "outage": _outage,
    "deny": _deny,
    "drain": _drain,
    "lag": _lag,
    "stick": _stick,
    "unstick": _unstick,
    "stop": _stop,
    "boot": _boot,
    "terminate": _terminate,
    "reboot": _reboot,
    "kill": _kill,
    "start": _start,
    "freeze": _freeze,
    "hang": _hang,
    "sleep": _sleep,
    "disk": _disk,
    "journal": _journal,
    "clock": _clock,
    "plug": _plug,
    "unlink": _unlink,
    "strip": _strip,
    "deaf": _deaf,
    "place": _place,
    "delete": _delete,
    "endless": _endless,
    "doom": _doom,
    "takeover": _takeover,
    "pause": _pause,
    "resume": _resume,
    "reload": _reload,
}
