"""The net world: real Linux hosts, links and packets for the fake EC2, in network namespaces.

Owns: everything needed to see a failover with packets on one machine; for root, on Linux, with the programs
`ip`, `nft` and `setpriv`. Must not know: the daemon, as all of the lab. Does not guarantee: more of AWS's
network than that packets leave by the ENI whose they are, or that a delay or a loss is like a real one.

    with NetWorld(members=2, enis=1) as net:
        service = net.spawn("alpha", ["python3", "-m", "http.server", "8080"])
        daemon = net.spawn("beta", ["eni-failover", "run", "--config", ...])
        net.run("client-other", lambda: urlopen("http://10.0.1.101:8080/"))
        net.die("alpha")

Each host is a namespace that a person can enter: `ip netns exec enif-4711-0-alpha bash`. The far end of each
link, its *port*, is in the VPC's namespace, where also the router, the EC2 API and all packet rules are, out
of any guest's reach. The near end of a floating ENI's link is in the guest of the instance that has it.

A guest begins with `eth0` configured, as by its distribution, and IMDS at 169.254.169.254 on its loopback, so
that no service can have port 80 of all addresses. A floating link comes down and bare, under a new name each
time. `plan` has the addresses, `NetWorld` who and where, and `Verbs` what can go wrong.
"""

from eni_failover.lab.net.networld import NetWorld

__all__ = ["NetWorld"]
