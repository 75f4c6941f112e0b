"""The real EC2 adapter, connected to whatever is at a URL."""

import asyncio

from eni_failover.adapters.ec2 import Ec2


def client_of(url: str, *, read_timeout: float) -> Ec2:
    one = Ec2(
        region=None,
        group="orders",
        version="1.2.3",
        connect_timeout=1.0,
        read_timeout=read_timeout,
        on_request=lambda _report: None,
        endpoint_url=url,
    )
    asyncio.run(one.warm())
    return one
