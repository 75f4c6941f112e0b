"""`eni-failover policy`: the IAM policy for the members' role, as JSON.

Owns where account and region come from when they are not written: EC2's word, the environment, IMDS. What
nobody knows stays a placeholder, with a line about it on standard error.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from dataclasses import dataclass

import typer

from eni_failover.cli.terminal import complain
from eni_failover.config import Config
from eni_failover.exitcodes import ExitCode
from eni_failover.preflight.iam import policy as policy_for

ACCOUNT, REGION = "ACCOUNT", "REGION"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of account and region; empty is not known, and `why` says so."""

    account: str = ""
    region: str = ""
    why: str = ""


def policy(config: Config, *, account: str | None, region: str | None) -> ExitCode:
    """Prints the policy. A placeholder in it is a failure: the policy cannot be used as it is."""
    known = Known(account=account or "", region=region or "")
    if not known.account or not known.region:
        known = asyncio.run(_learn(config, known))
    for name, value, option in (
        (ACCOUNT, known.account, "--account"),
        (REGION, known.region, "--region"),
    ):
        if not value:
            complain(f"{name} is a placeholder: {known.why or 'nobody tells it'}; write it with {option}")
    document = policy_for(config, account=known.account or ACCOUNT, region=known.region or REGION)
    typer.echo(json.dumps(document, indent=2))
    return ExitCode.OK if known.account and known.region else ExitCode.FAILED


async def _learn(config: Config, known: Known) -> Known:
    """The owner of an ENI of the group, and the region that EC2 is asked in."""
    from eni_failover.adapters.imds import Imds  # noqa: PLC0415 - nothing to ask when both are written
    from eni_failover.cli.examine import make_ec2  # noqa: PLC0415 - likewise, and boto3
    from eni_failover.errors import AdapterError, TransientError  # noqa: PLC0415 - likewise

    here = ""
    if known.region:
        os.environ["AWS_REGION"] = known.region  # what boto3 asks before anything else
    else:
        with contextlib.suppress(AdapterError):
            here = (await Imds(os.environ).identity()).region
    ec2 = make_ec2(config, here or None)
    region, owner, why = known.region, "", ""
    try:
        with contextlib.suppress(TransientError):  # no credentials yet: the client knows its region
            await ec2.warm()
        inspection = ec2.inspection()
        region = region or inspection.endpoint.region
        shown = await inspection.enis(config.eni_ids)
        owner = next((one.owner_id for one in shown if one.owner_id), "")
        why = f"EC2 does not show {', '.join(config.eni_ids)} in {region}"
    except AdapterError as error:
        why = str(error)
    finally:
        ec2.close()
    return Known(account=known.account or owner, region=region, why=why)
