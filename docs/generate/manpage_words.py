"""What the manual page says beside the commands. `backquotes`: to be typed so; <WORD>: to be filled in."""

from __future__ import annotations

from eni_failover.exitcodes import ExitCode

DESCRIPTION = """\
Two or more EC2 instances in one availability zone share a floating network interface (ENI), with its
addresses, its MAC and its security groups; one of them holds it and serves. `eni-failover run` on each of
them probes the holder, and when the holder is down detaches the ENI and attaches it to its own instance.

EC2 itself is the lock: an ENI is on one instance at most. There is no quorum, so a network partition can make
a standby take the ENI from a healthy holder. Starting, stopping and upgrading a daemon moves nothing.

A duration is one number and one of ms s m h d, such as `250ms` or `30m`.
"""

STATUSES = {
    ExitCode.OK: "It was done; to a question, yes.",
    ExitCode.FAILED: "It was not done, or no: a check failed, this member is not active, the daemon crashed.",
    ExitCode.BAD_CONFIG: "A mistake in the configuration or on the command line, or no command. systemd"
    " does not start the daemon again after it.",
    ExitCode.UNREACHABLE: "No daemon answers on this host.",
    ExitCode.REFUSED: "The order was refused, or not confirmed.",
    ExitCode.UNDER_WAY: "The takeover was accepted, and has not ended.",
    ExitCode.INTERRUPTED: "Interrupted from the keyboard.",
}

SIGNALS = {
    "SIGTERM, SIGINT": "The daemon stops. The ENI stays where it is.",
    "SIGHUP": "The daemon reads its file again, as `eni-failover reload` has it do.",
    "SIGUSR1": "The daemon writes its whole status to the log.",
}

ENVIRONMENT = {
    "ENI_FAILOVER_CONFIG": "The configuration file, where neither `--config` nor `--group` is given.",
    "ENI_FAILOVER_MEMBER": "This member's name, where there is no instance metadata.",
    "ENI_FAILOVER_LOG_LEVEL": "In place of the file's: debug, info, warning or error.",
    "NO_COLOR": "Not empty: no colours.",
    "AWS_REGION, AWS_ENDPOINT_URL_EC2, AWS_CA_BUNDLE, HTTPS_PROXY, NO_PROXY": "As every program with boto3"
    " reads them; so is the chain of credentials.",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT": "Another instance metadata service, such as the lab's.",
}

FILES = {
    "/etc/eni-failover/config.toml": "The configuration; the same file on every member.",
    "/etc/eni-failover/NAME.toml": "That of `--group` <NAME>, and of the unit `eni-failover@NAME`.",
    "/run/eni-failover/GROUP.sock": "The daemon's socket: for root and the Unix group eni-failover.",
    "/run/eni-failover/GROUP.role": "The role of this member, one word, replaced at each change.",
    "/var/lib/eni-failover/GROUP/journal.jsonl": "The takeovers, and one that is under way.",
    "/opt/eni-failover/share/eni-failover/": "Units, a commented configuration, alert rules, a dashboard.",
}

EXAMPLES = {
    "Before a member is relied upon, on it:": "eni-failover check",
    "Work on the holder: move the ENI away first, on a standby:": "eni-failover takeover"
    " --reason 'kernel update on alpha'",
    "A program that may run on the holder only:": "eni-failover status --is-active && run-it",
    "See a failover without AWS:": "eni-failover demo",
}
