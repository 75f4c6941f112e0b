"""What EC2 answers, and what stands in its place when something is wrong on the way."""

# The names that the core's own builders use: what is read here is put before the core as it is.
ENI, OTHER_ENI = "eni-1", "eni-2"
ALPHA, BETA = "i-alpha", "i-beta"
SCHEMA = "http://ec2.amazonaws.com/doc/2016-11-15/"
ZONE = "eu-central-1a"

ERROR = "<Response><Errors><Error><Code>{code}</Code><Message>because</Message></Error></Errors></Response>"


def answer(action: str, inner: str) -> str:
    """A whole answer of EC2 to this action."""
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<{action}Response xmlns="{SCHEMA}">'
    return f"{head}<requestId>r-1</requestId>{inner}</{action}Response>"


def enis(*items: str) -> str:
    return answer("DescribeNetworkInterfaces", f"<networkInterfaceSet>{''.join(items)}</networkInterfaceSet>")


def instances(*items: str) -> str:
    return answer("DescribeInstances", f"<reservationSet>{''.join(items)}</reservationSet>")


def attachment(
    attachment_id: str = "att-1", *, holder: str = ALPHA, status: str = "attached", index: str = "1"
) -> str:
    return (
        f"<attachment><attachmentId>{attachment_id}</attachmentId><instanceId>{holder}</instanceId>"
        f"<instanceOwnerId>123456789012</instanceOwnerId><deviceIndex>{index}</deviceIndex>"
        f"<networkCardIndex>0</networkCardIndex><status>{status}</status>"
        "<attachTime>2026-11-23T03:17:00.000Z</attachTime>"
        "<deleteOnTermination>false</deleteOnTermination></attachment>"
    )


def eni(eni_id: str = ENI, *, status: str = "in-use", attached: str | None = None, more: str = "") -> str:
    """One ENI of an answer, on alpha unless `attached` says otherwise ("" is nowhere)."""
    return (
        f"<item><networkInterfaceId>{eni_id}</networkInterfaceId><subnetId>subnet-0123456789abcdef0</subnetId>"
        f"<availabilityZone>{ZONE}</availabilityZone><requesterManaged>false</requesterManaged>"
        f"<status>{status}</status><macAddress>0a:ff:00:00:00:01</macAddress>"
        "<privateIpAddress>10.0.1.101</privateIpAddress><interfaceType>interface</interfaceType>"
        "<groupSet><item><groupId>sg-0123456789abcdef0</groupId></item></groupSet>"
        f"{attachment() if attached is None else attached}"
        "<privateIpAddressesSet><item><privateIpAddress>10.0.1.101</privateIpAddress><primary>true</primary>"
        f"<association><publicIp>203.0.113.1</publicIp></association></item></privateIpAddressesSet>{more}</item>"
    )


def both() -> str:
    """The answer about two ENIs that are attached to alpha."""
    return enis(eni(), eni(OTHER_ENI, attached=attachment("att-2", index="2")))


def free(eni_id: str = ENI) -> str:
    return eni(eni_id, status="available", attached="")


def instance(instance_id: str = ALPHA, *, state: str = "running", more: str = "") -> str:
    """One reservation with one instance that has its primary ENI."""
    return (
        "<item><reservationId>r-0123456789abcdef0</reservationId><instancesSet><item>"
        f"<instanceId>{instance_id}</instanceId><instanceState><code>16</code><name>{state}</name></instanceState>"
        "<instanceType>m5.large</instanceType><launchTime>2026-11-23T03:17:00.000Z</launchTime>"
        f"<placement><availabilityZone>{ZONE}</availabilityZone></placement><networkInterfaceSet><item>"
        "<networkInterfaceId>eni-0123456789abcdef0</networkInterfaceId><macAddress>0a:aa:00:00:00:01</macAddress>"
        "<attachment><deviceIndex>0</deviceIndex><networkCardIndex>0</networkCardIndex></attachment>"
        f"</item></networkInterfaceSet>{more}</item></instancesSet></item>"
    )


def members() -> str:
    """The answer about two running instances."""
    return instances(instance(), instance(BETA))


def laughs(inner: str) -> str:
    """An answer whose entities unfold to a gigabyte (CWE-776)."""
    entities = '<!ENTITY a0 "ha">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    return f"<!DOCTYPE x [{entities}]>{inner.partition('?>')[2]}"


NOT_AN_ANSWER: dict[str, str | bytes] = {
    "nothing": "",
    "blank": " \n",
    "json": "{}",
    "a page": "<html><body>Sign in</body></html>",
    "a page with its type": "<!DOCTYPE html><HTML><body>Sign in</body></HTML>",
    "a page in XHTML": '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body/></html>',
    "another root": "<foo/>",
    "an error though 200": ERROR.format(code="InternalError"),
    "another action's answer": instances(instance()),
    "no list": answer("DescribeNetworkInterfaces", ""),
    "another encoding than said": enis(eni(more="<description>\u00e9</description>")).encode("latin-1"),
    "an encoding nobody knows": enis(eni()).replace("UTF-8", "x-none"),
    "NUL": enis(eni(more="<description>\0</description>")),
    "entities that unfold": laughs(enis(eni(more="<description>&a9;</description>"))),
    "an entity from a file": enis(eni(more="<description>&f;</description>")).replace(
        "?>", '?><!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/hostname">]>', 1
    ),
    "two roots": enis(eni()) + enis(eni()),
    "never closed": "<item>" * 20_000,
    "an index in words": enis(eni(attached=attachment(index="one"))),
    "an index with a point": enis(eni(attached=attachment(index="1.0"))),
    "no index at all": enis(eni(attached=attachment(index=""))),
    "an index of thousands of digits": enis(eni(attached=attachment(index="9" * 5000))),
    "an index that is a table": enis(eni(attached=attachment(index="<a>1</a>"))),
    "pages without end": answer(
        "DescribeNetworkInterfaces", "<networkInterfaceSet/><nextToken>t</nextToken>"
    ),
}
"""Bodies with status 200 that say nothing about any ENI."""

TRANSPORT: dict[str, bytes] = {
    "closed at once": b"",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "HTTP/0.9": enis(free()).encode(),
    "only continue": b"HTTP/1.1 100 Continue\r\n\r\n",
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "moved": b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n",
    "cut by its length": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + enis(free()).encode(),
    "chunks that are none": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + enis().encode(),
    "a header of 100 KB": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n" + enis(free()).encode(),
    "thousands of headers": b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 5000 + b"\r\n" + enis(free()).encode(),
    "zeros": bytes(10_000),
}
"""What a connection may bring instead of an answer."""

REFUSALS: dict[str, tuple[str, str]] = {
    "no body": ("500 Internal Server Error", ""),
    "text": ("502 Bad Gateway", "upstream is away"),
    "a page": ("503 Service Unavailable", "<html><body>away</body></html>"),
    "cut XML": ("500 Internal Server Error", "<Response><Errors><Err"),
    "no code": ("400 Bad Request", "<Response><Errors><Error/></Errors></Response>"),
    "no errors": ("400 Bad Request", "<Response/>"),
    "an odd code": ("400 Bad Request", ERROR.format(code="&lt;script&gt;alert(1)&lt;/script&gt;")),
    "a code of 10 KB": ("400 Bad Request", ERROR.format(code="A" * 10_000)),
    "a code nobody knows": ("400 Bad Request", ERROR.format(code="Frobnicated")),
    "an odd status": ("999 Odd", ERROR.format(code="InternalError")),
    "an answer of ENIs": ("400 Bad Request", enis(free())),
}
"""Answers with a status that is none of success, and their bodies."""
