"""The commands about a group: their options and their help.

Owns the parsing. What a command does is in the module of its name, imported when it runs: help and
completion answer at once, and no command pays for another's libraries. `run` is here for help
and completion; the program's entry answers it before this module is imported.
"""

from __future__ import annotations

from typing import Annotated

import typer

from eni_failover.cli.options import ConfigPath, GroupName, Local, MemberOption, Reason, examples, seconds_of

_LONGEST_TAKEOVER = 3600.0

app = typer.Typer(rich_markup_mode=None)


@app.command(
    "run",
    epilog=examples(
        "eni-failover run",
        "eni-failover run --group orders",
        statuses="0 stopped, 1 crashed, 2 bad configuration, or this instance is not a member",
    ),
)
def _run(
    *,
    config: ConfigPath = None,
    group: GroupName = None,
    member: MemberOption = None,
) -> int:
    """Run the daemon in the foreground."""
    from eni_failover.cli.run import start  # noqa: PLC0415 - see the module's docstring

    return start(config=config, group=group, member=member)


@app.command(
    "reload",
    epilog=examples(
        "eni-failover reload --group orders",
        statuses="0 taken, 2 refused with the errors, or bad configuration, 3 no daemon answers",
    ),
)
def _reload(*, config: ConfigPath = None, group: GroupName = None) -> int:
    """Reload the configuration file. A bad one is refused, and the old one stays."""
    from eni_failover.cli import configured, orders  # noqa: PLC0415 - see the module's docstring

    return orders.reload(configured.client_of(config, group, mention=False))


@app.command(
    "check",
    epilog=examples(
        "eni-failover check",
        "eni-failover check --json | jq '.checks[] | select(.result == \"fail\")'",
        "eni-failover check --offline --config ./orders.toml",
        statuses="0 no check failed, 1 a check failed, 2 bad configuration",
    ),
)
def _check(
    *,
    config: ConfigPath = None,
    group: GroupName = None,
    member: MemberOption = None,
    offline: Annotated[bool, typer.Option("--offline", help="Check the file only, ask nobody.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print problems only.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> int:
    """Check whether a takeover by this member would work. Asks EC2; each finding has its remedy."""
    from eni_failover.cli import check, configured  # noqa: PLC0415 - see the module's docstring

    if quiet and as_json:
        raise typer.BadParameter("the document has everything, leave out --json", param_hint="--quiet")
    loaded = configured.config_of(config, group)
    if offline:
        return check.offline(loaded, as_json=as_json, quiet=quiet)
    return check.online(loaded, member=member, as_json=as_json, quiet=quiet)


@app.command(
    "status",
    epilog=examples(
        "eni-failover status",
        "eni-failover status --json | jq .role",
        "eni-failover status --is-active && run-this-on-the-holder-only",
        statuses="0, 2 bad configuration, 3 no daemon answers; with --is-active 0 yes, 1 no, 2, 3",
    ),
)
def _status(
    *,
    config: ConfigPath = None,
    group: GroupName = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the daemon's document as it is.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again each second, until Ctrl-C.")] = False,
    is_active: Annotated[
        bool, typer.Option("--is-active", help="Print nothing; the exit status says it.")
    ] = False,
) -> int:
    """Show what the daemon sees. Holder, role, probes, readiness with remedies, last decision, pauses."""
    from eni_failover.cli import configured, status  # noqa: PLC0415 - see the module's docstring

    if is_active and (as_json or watch):
        raise typer.BadParameter("it prints nothing, leave out --json and --watch", param_hint="--is-active")
    client = configured.client_of(config, group, mention=not is_active)
    return status.status(client, as_json=as_json, watch=watch, is_active=is_active)


@app.command(
    "takeover",
    epilog=examples(
        "eni-failover takeover --reason 'kernel update on alpha'",
        "eni-failover takeover --yes --timeout 3m",
        statuses="0 held and ready, 2 bad configuration, 3 no daemon answers, 4 refused or not confirmed,"
        " 5 still under way",
    ),
)
def _takeover(
    *,
    config: ConfigPath = None,
    group: GroupName = None,
    reason: Reason = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, also when the holder is healthy.")] = False,
    no_wait: Annotated[
        bool,
        typer.Option(
            "--no-wait", help="Return once it is accepted: with 5, or with 0 when it is held already."
        ),
    ] = False,
    timeout: Annotated[
        str, typer.Option("--timeout", metavar="DURATION", help="Give up after this long, 1h at most.")
    ] = "120s",
) -> int:
    """Bring the ENIs to this member. Asks first when their holder is healthy."""
    from eni_failover.cli import configured, takeover  # noqa: PLC0415 - see the module's docstring

    bound = seconds_of(timeout, "--timeout")
    if bound > _LONGEST_TAKEOVER:
        raise typer.BadParameter(f"must be 1h or shorter, not {timeout}", param_hint="--timeout")
    wish = takeover.Wish(reason=reason, confirmed=yes, wait=not no_wait, timeout=bound)
    return takeover.takeover(configured.client_of(config, group), wish)


@app.command(
    "pause",
    epilog=examples(
        "eni-failover pause --for 30m --reason 'database upgrade'",
        "eni-failover pause --local",
        statuses="0, 2 bad configuration, 3 no daemon answers",
    ),
)
def _pause(
    *,
    config: ConfigPath = None,
    group: GroupName = None,
    duration: Annotated[
        str | None,
        typer.Option("--for", metavar="DURATION", help="End by itself, 7d at most.  [default: 7d]"),
    ] = None,
    reason: Reason = "",
    local: Local = False,
) -> int:
    """Stop automatic takeovers. Holds for the whole group; manual takeovers still work."""
    from eni_failover.cli import configured, orders  # noqa: PLC0415 - see the module's docstring
    from eni_failover.core.pause import LONGEST  # noqa: PLC0415 - see the module's docstring

    if duration is not None and seconds_of(duration, "--for") > LONGEST:
        raise typer.BadParameter(f"a pause lasts {LONGEST / 86400:g}d at most", param_hint="--for")
    client = configured.client_of(config, group)
    return orders.pause(client, duration=duration, reason=reason, local=local)


@app.command(
    "resume",
    epilog=examples("eni-failover resume", statuses="0, 2 bad configuration, 3 no daemon answers"),
)
def _resume(
    *, config: ConfigPath = None, group: GroupName = None, reason: Reason = "", local: Local = False
) -> int:
    """End a pause. Also ends the hold after too many takeovers."""
    from eni_failover.cli import configured, orders  # noqa: PLC0415 - see the module's docstring

    return orders.resume(configured.client_of(config, group), reason=reason, local=local)


@app.command(
    "history",
    epilog=examples(
        "eni-failover history -n 5",
        "eni-failover history --json | jq 'select(.result != \"success\")'",
        statuses="0, 1 the journal cannot be read, 2 bad configuration",
    ),
)
def _history(
    *,
    config: ConfigPath = None,
    group: GroupName = None,
    last: Annotated[
        int | None, typer.Option("-n", metavar="N", min=1, help="The last N only.  [default: all]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line for each takeover.")] = False,
) -> int:
    """Show the takeovers of this member. With trigger, reason, phases, durations and result."""
    from eni_failover.cli import configured, history  # noqa: PLC0415 - see the module's docstring

    return history.history(configured.config_of(config, group), last=last, as_json=as_json)
