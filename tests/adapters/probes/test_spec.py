"""Templates, and that the configuration can load the settings without the libraries of the probes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from eni_failover.adapters.probes.spec import Target
from eni_failover.core.policy import Member

FOUR = Target(member="alpha", address="10.0.1.11", instance_id="i-0aaaaaaaaaaaaaaa1")
LINK = Target(member="alpha", address="fe80::1%eth0", instance_id="i-0aaaaaaaaaaaaaaa1")
SIX = Target(member="alpha", address="2001:db8::11", instance_id="i-0aaaaaaaaaaaaaaa1")


@pytest.mark.parametrize(
    ("target", "template", "filled"),
    [
        (FOUR, "{address}", "10.0.1.11"),
        (FOUR, "http://{address}:8080/healthz", "http://10.0.1.11:8080/healthz"),
        (FOUR, "http://[{address}]:8080/", "http://10.0.1.11:8080/"),
        (SIX, "{address}", "2001:db8::11"),
        (SIX, "http://{address}:8080/", "http://[2001:db8::11]:8080/"),
        (SIX, "https://[{address}]/", "https://[2001:db8::11]/"),
        (LINK, "{address}", "fe80::1%eth0"),
        (LINK, "http://{address}:8080/", "http://[fe80::1%25eth0]:8080/"),
        (FOUR, "{member}/{instance_id}/{member}", "alpha/i-0aaaaaaaaaaaaaaa1/alpha"),
        (FOUR, "awk {print $1} {{address}} {other}", "awk {print $1} {10.0.1.11} {other}"),
        (FOUR, "%{http_code} ${address} {} {a,b}", "%{http_code} ${address} {} {a,b}"),
        (FOUR, "plain", "plain"),
    ],
)
def test_fill_puts_the_member_into_a_template(target, template, filled):
    """The three placeholders are filled, IPv6 in brackets after a scheme; other braces stay."""
    assert filled == target.fill(template)


def test_a_filled_value_is_not_filled_again():
    """A member whose name looks like a placeholder stays what it is called."""
    odd = Target(member="{address}", address="10.0.1.11", instance_id="i-0aaaaaaaaaaaaaaa1")

    assert odd.fill("{member} {address}") == "{address} 10.0.1.11"


def test_a_member_is_its_own_target():
    """`of` keeps name, address and instance id."""
    member = Member(name="alpha", address="10.0.1.11", instance_id="i-0aaaaaaaaaaaaaaa1")

    assert Target.of(member) == FOUR


def test_loading_the_settings_loads_no_library_of_the_probes():
    """`spec` is loaded by every command: asyncio and ssl would cost each of them its start."""
    code = (
        "import sys, eni_failover.adapters.probes.spec;"
        "print([name for name in ('aiohttp', 'ssl', 'asyncio', 'structlog') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
