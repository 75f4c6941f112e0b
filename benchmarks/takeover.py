"""The same host death for several contenders: how long clients wait, and what the time is made of.

Usage: make bench, or
       .venv/bin/python -m benchmarks.takeover [--runs N] [--profile 3/2] [--contenders boto3 cli]

A run makes a pair on a fake EC2 (API 40 ms), starts one contender, kills the host that has the ENI at a
random moment, and waits until a client of the floating address is answered by the other host. The contenders
take turns, and another one begins each round, so that what else this machine does hits all of them alike.

    gap        what the client saw: from the last answer of the old holder to the first of the new one
    detection  from the death until the settings let it be known: the third missing probe, or advert, is due
    EC2        what EC2 takes to detach and to attach
    added      the rest, from the death on: what the contender is responsible for
    link       the part of `added` that comes after `attached`
    calls      what the contender asked of EC2 from the death on

As root with real links in network namespaces; else on loopback, where a dead host refuses at once instead of
being silent, and attached is served.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from pathlib import Path

from benchmarks import chart, results
from benchmarks.contenders import CONTENDERS, Contender
from benchmarks.places import HOLDER, STANDBY, LoopbackPlace, NetPlace, place, serve, wait, why_no_net
from benchmarks.results import Run
from eni_failover.lab import Durations, Settings
from eni_failover.lab.net.clients import Client

LATENCY = 0.04
PROFILES = {"3/2": (3.0, 2.0), "1/0.5": (1.0, 0.5), "8/5": (8.0, 5.0)}
OUTPUT = Path(__file__).parents[1] / "build" / "bench"
PATIENCE = 90.0
ASKED_EVERY = 0.01


def one_run(contender: Contender, profile: str, *, loopback: bool, moment: float) -> Run:
    """One death, `moment` seconds after everything has come to rest. Raises OSError, TimeoutError."""
    detach, attach = PROFILES[profile]
    settings = Settings(latency=LATENCY, durations=Durations(detach=detach, attach=attach))
    with place(settings, contender.enis, loopback=loopback) as pair:
        for host in (HOLDER, STANDBY):
            serve(pair, host)
        due = contender.start(pair)
        asked = (pair.floating[0], pair.floating[-1])[: contender.enis]
        clients = [
            Client(
                pair, pair.client_host, address, pair.directory / f"client-{address}", interval=ASKED_EVERY
            )
            for address in asked
        ]
        wait(lambda: all(_is_answered(client, HOLDER) for client in clients), "answers of alpha", 10)
        time.sleep(1.0 + moment)
        load = os.getloadavg()[0]
        died = time.monotonic()
        pair.die(HOLDER)
        wait(
            lambda: all(_is_answered(client, STANDBY) for client in clients),
            "answers of beta",
            detach + attach + PATIENCE,
        )
        gaps = [client.gap("tcp") for client in clients]
        served = max(gap.ended for gap in gaps)
        attachments = [pair.world.eni(eni).attachment for eni in pair.eni_ids()]
        calls = [
            call for call in pair.world.calls if call.at >= died and call.caller == pair.instance(STANDBY)
        ]
        return Run(
            contender=contender.name,
            profile=profile,
            gap=max(gap.seconds for gap in gaps),
            detection=due() - died,
            ec2=detach + attach,
            added=served - due() - detach - attach,
            link=served - max(one.attached_at for one in attachments),
            calls=len(calls),
            load=load,
        )


def _is_answered(client: Client, name: str) -> bool:
    newest = client.last("tcp")
    return newest is not None and newest.name == name


def compete(
    contenders: list[Contender], profiles: list[str], runs: int, *, loopback: bool, seed: int
) -> list[Run]:
    """All runs, interleaved; one that failed is among them, with its reason."""
    chance = random.Random(seed)
    done: list[Run] = []
    for number in range(runs):
        for profile in profiles:
            for turn in range(len(contenders)):
                contender = contenders[(number + turn) % len(contenders)]
                moment = chance.random()
                try:
                    run = one_run(contender, profile, loopback=loopback, moment=moment)
                except (OSError, IndexError) as error:  # TimeoutError is one
                    run = Run(contender=contender.name, profile=profile, problem=f"{error}"[:200])
                done.append(run)
                print(f"{number + 1:3}/{runs}  {run.line()}", file=sys.stderr, flush=True)
    return done


def main() -> None:
    """Runs everything, prints the tables, writes bench.json, bench.svg and, with Chromium, bench.png."""
    options = _options()
    loopback = options.loopback or bool(why_no_net())
    where = LoopbackPlace.name if loopback else NetPlace.name
    chosen = [contender for contender in CONTENDERS if contender.name in options.contenders]
    absent = {one.name: one.obstacle(where) for one in chosen if one.obstacle(where)}
    able = [one for one in chosen if one.name not in absent]
    reason = why_no_net()
    print(f"place: {where}{f' ({reason})' if loopback and reason else ''}, API {LATENCY * 1000:.0f} ms")
    print(f"{options.runs} runs each, seed {options.seed}; {results.machine()}\n", flush=True)
    began = time.monotonic()
    runs = compete(able, options.profile, options.runs, loopback=loopback, seed=options.seed)
    titles = {one.name: one.title for one in chosen}
    for profile in options.profile:
        print(results.table(profile, titles, absent, runs))
        print(results.aims(runs, profile, LATENCY))
    print(f"took {(time.monotonic() - began) / 60:.1f} minutes")
    OUTPUT.mkdir(parents=True, exist_ok=True)
    results.write(
        OUTPUT / "bench.json",
        place=where,
        profiles=options.profile,
        titles=titles,
        absent=absent,
        runs=runs,
        seed=options.seed,
    )
    drawn = OUTPUT / "bench.svg"
    drawn.write_text(chart.draw(options.profile, titles, absent, runs, where))
    print(OUTPUT / "bench.json", drawn, chart.to_png(drawn) or "no bench.png: it takes Chromium", sep="\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [contender.name for contender in CONTENDERS]
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument(
        "--profile", nargs="+", choices=PROFILES, default=list(PROFILES), help="detach/attach, s"
    )
    parser.add_argument("--contenders", nargs="+", choices=names, default=names)
    parser.add_argument("--loopback", action="store_true", help="also where real links could be had")
    parser.add_argument("--seed", type=int, default=1, help="of the moments of death")
    return parser.parse_args()


if __name__ == "__main__":
    main()
