"""What names things: groups, members, probes, ENIs, instances, addresses, files, programs.

Owns the form of each. Each function takes a value from the file and gives it back (in one spelling
where there are several), or raises ValueError in the user's words. Does not ask whether the thing
exists: that is for `check`.
"""

from __future__ import annotations

import ipaddress
import re
from os import fsencode
from pathlib import Path

from eni_failover.config.wording import kind_of, shown
from eni_failover.core.vocabulary import FOREIGN, NOBODY, UNKNOWN

_GROUP = re.compile(r"[a-z0-9-]{1,63}")
LONGEST_NAME = 63
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST_NAME - 1}}}")
_ENI_ID = re.compile("eni-[0-9a-f]{8,17}")
_LIKE_AN_ID = re.compile("i-[0-9a-f]+", re.IGNORECASE)
_INSTANCE_ID = re.compile("i-[0-9a-f]{8,17}")
_HOST_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_LINK = re.compile(r"[A-Za-z0-9_.-]{1,15}")  # IFNAMSIZ
_BLANK = re.compile(r"\s")
_MOST_WORDS = 1000
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST_SOCKET = 100  # sockaddr_un has 108 bytes on Linux (unix(7)); the rest is room for a temporary name


def group_name(value: str) -> str:
    """A group: it is a label, and part of file names and of systemd unit names."""
    if not _GROUP.fullmatch(value):
        raise ValueError(f"must be 1 to 63 characters of a-z 0-9 -, not {shown(value)}")
    return value


def plain_name(value: str) -> str:
    """A member or a probe: it goes into labels, URLs and environment variables as it is."""
    if not _NAME.fullmatch(value):
        raise ValueError(
            "must be 1 to 63 characters of A-Z a-z 0-9 . _ - beginning with a letter or a digit,"
            f" not {shown(value)}"
        )
    return value


def member_name(value: str) -> str:
    """As `plain_name`, and not one of the words that stand for "no member" in labels."""
    taken = (NOBODY, FOREIGN, UNKNOWN)
    if value in taken:
        words = ", ".join(shown(word) for word in taken)
        raise ValueError(f"must not be one of {words}: the holder metric uses them")
    return plain_name(value)


def is_like_an_id(name: str) -> bool:
    """Whether this name could be taken for an instance's id, of whatever length."""
    return _LIKE_AN_ID.fullmatch(name) is not None


def eni_id(value: str) -> str:
    """An ENI id. EC2 makes them of 8 or 17 digits; see `has_usual_length`."""
    if not _ENI_ID.fullmatch(value):
        raise ValueError(f'must be "eni-" and 8 to 17 of 0-9 a-f, not {shown(value)}')
    return value


def instance_id(value: str) -> str:
    """An instance id. EC2 makes them of 8 or 17 digits; see `has_usual_length`."""
    if not _INSTANCE_ID.fullmatch(value):
        raise ValueError(f'must be "i-" and 8 to 17 of 0-9 a-f, not {shown(value)}')
    return value


def has_usual_length(resource_id: str) -> bool:
    """Whether the id has 8 (before 2018) or 17 digits: no other length was ever documented."""
    return len(resource_id.rpartition("-")[2]) in {8, 17}


def tag_key(value: str) -> str:
    """The key of an EC2 tag: up to 128 characters (EC2 user guide, "Tag restrictions")."""
    if not value.strip() or len(value) > 128 or _CONTROL.search(value):
        raise ValueError(f"must be the key of a tag, 1 to 128 characters, not {shown(value)}")
    return value


def address(value: str) -> str:
    """An IP address or a host name that packets can be sent to, in its canonical spelling."""
    try:
        found = ipaddress.ip_address(value)
    except ValueError:
        if not _is_host_name(value):
            raise ValueError(f"must be an IPv4 or IPv6 address or a host name, not {shown(value)}") from None
        return value.lower()
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped  # one address; its IPv6 spelling differs between versions of Python
    if found.is_unspecified or found.is_multicast:
        raise ValueError(f"must be the address of one host, not {shown(value)}")
    if isinstance(found, ipaddress.IPv6Address) and found.scope_id is not None:
        _zone(found, value)
    return str(found)


def absolute_path(value: object) -> Path:
    """A file or a directory; taken literally, nothing is expanded in it.

    What is no path is not shown: the token itself, in the place of its file, is the likeliest mistake.
    """
    if not isinstance(value, str):
        raise ValueError(f"must be text: an absolute path, not {kind_of(value)}")  # noqa: TRY004 - pydantic reports ValueError only
    if not value.startswith("/") or _CONTROL.search(value):
        raise ValueError("must be an absolute path, from / on and without control characters")
    return Path(value)


def socket_path(value: object) -> Path:
    """As `absolute_path`, short enough for the address of a Unix socket."""
    path = absolute_path(value)
    length = len(fsencode(path))
    if length > _LONGEST_SOCKET:
        raise ValueError(
            f"must be {_LONGEST_SOCKET} bytes or shorter (the kernel's limit), not {length} bytes"
        )
    return path


def argv(value: tuple[str, ...]) -> tuple[str, ...]:
    """A program and its arguments. No word may hold NUL, which execve(2) cannot pass.

    A command line in one word is not shown: it may hold a password.
    """
    if not value or not all(value) or any("\0" in word for word in value):
        raise ValueError("must list a program and its arguments, none of them empty or with NUL in it")
    if len(value) > _MOST_WORDS:
        raise ValueError(f"must be {_MOST_WORDS} words or fewer, not {len(value)}")
    program = value[0]
    if _BLANK.search(program) and (len(value) == 1 or not program.startswith("/")):
        raise ValueError(
            'must be a list of words, such as ["/usr/bin/systemctl", "is-active", "web"]:'
            " no shell splits a word with blanks"
        )
    if program.startswith("~"):
        raise ValueError(f"must begin with an absolute path: no shell replaces the ~ of {shown(program)}")
    if "/" in program and not program.startswith("/"):
        raise ValueError(f"must begin with an absolute path: the daemon runs in /, not {shown(program)}")
    return value


def hook_argv(value: tuple[str, ...]) -> tuple[str, ...]:
    """As `argv`, with an absolute program, because a service's PATH is not the user's; () is no hook."""
    if not value:
        return value
    program = argv(value)[0]
    if not program.startswith("/"):
        raise ValueError(f"must begin with the absolute path of a program, not {shown(program)}")
    return value


def _zone(found: ipaddress.IPv6Address, value: str) -> None:
    """RFC 4007: only a link-local address needs one, the name or number of a link of this host."""
    if not found.is_link_local:
        raise ValueError(f"must have a zone (%link) at a link-local address only, not {shown(value)}")
    if not _LINK.fullmatch(found.scope_id or ""):
        raise ValueError(f"must have the name of a link after %, not {shown(value)}")


def _is_host_name(value: str) -> bool:
    """RFC 1123, section 2.1, and underscores. A numeric last label is a mistyped IPv4 address."""
    labels = value.split(".")
    return (
        len(value) <= 253
        and all(_HOST_LABEL.fullmatch(label) for label in labels)
        and not labels[-1].isdecimal()
    )
