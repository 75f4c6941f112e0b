"""Which route events the kernel gives to a socket at all: default routes, and routes by our own links.

A router's flap is thousands of messages a second, and reading them would make each of them ours. Socket
filters need no privilege: https://docs.kernel.org/networking/filter.html
"""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
from collections.abc import Iterable
from typing import Final, Protocol

_SO_ATTACH_FILTER: Final = 26
# From linux/bpf_common.h and linux/filter.h: numbers in a message are in the host's byte order, and loads
# are in the network's.
_LOAD_BYTE: Final = 0x30
_LOAD_HALF: Final = 0x28
_LOAD_WORD: Final = 0x20
_LOAD_WORD_AT_X: Final = 0x40
_LOAD_CONSTANT: Final = 0x00
_LOAD_X: Final = 0x01
_COPY_TO_X: Final = 0x07
_JUMP_IF_EQUAL: Final = 0x15
_RETURN: Final = 0x06
_FIND_ATTRIBUTE: Final = 0xFFFFF000 + 12  # SKF_AD_OFF + SKF_AD_NLATTR
_WHOLE: Final = 0xFFFFFFFF
# Where these are in a route message, and numbers of linux/rtnetlink.h.
_MESSAGE_TYPE: Final = 4
_DESTINATION_LENGTH: Final = 17
_ATTRIBUTES: Final = 28
_NEWROUTE: Final = 24
_DELROUTE: Final = 25
_RTA_OIF: Final = 4
_MOST_LINKS: Final = 64  # jumps reach 255 instructions; more links than this take every event

Instruction = tuple[int, int, int, int]


class _Socket(Protocol):
    def setsockopt(self, level: int, option: int, value: bytes, /) -> object: ...


def attach(events: _Socket, indexes: Iterable[int]) -> None:
    """Give this socket only such route events from now on; other events pass.

    Where the kernel has no such filters every event comes, and is dropped when it has been read.
    """
    program = b"".join(struct.pack("=HBBI", *step) for step in compiled(sorted(indexes)))
    buffer = ctypes.create_string_buffer(program, len(program))
    where = struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))
    with contextlib.suppress(OSError):
        events.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, where)


def compiled(indexes: list[int]) -> list[Instruction]:
    """The filter's program: code, jump when true, jump when false, constant.

    A route with several hops passes when it is a default route.
    """
    drop, accept = (_RETURN, 0, 0, 0), (_RETURN, 0, 0, _WHOLE)
    if len(indexes) > _MOST_LINKS:
        return [accept]
    links: list[Instruction] = []
    for index in indexes:
        links += [(_JUMP_IF_EQUAL, 0, 1, socket.htonl(index)), accept]
    return [
        (_LOAD_HALF, 0, 0, _MESSAGE_TYPE),
        (_JUMP_IF_EQUAL, 2, 0, socket.htons(_NEWROUTE)),
        (_JUMP_IF_EQUAL, 1, 0, socket.htons(_DELROUTE)),
        accept,
        (_LOAD_BYTE, 0, 0, _DESTINATION_LENGTH),
        (_JUMP_IF_EQUAL, 0, 1, 0),
        accept,
        # The offset of the attribute that names the link, 0 when there is none.
        (_LOAD_X, 0, 0, _RTA_OIF),
        (_LOAD_CONSTANT, 0, 0, _ATTRIBUTES),
        (_LOAD_WORD, 0, 0, _FIND_ATTRIBUTE),
        (_JUMP_IF_EQUAL, 0, 1, 0),
        drop,
        (_COPY_TO_X, 0, 0, 0),
        (_LOAD_WORD_AT_X, 0, 0, 4),
        *links,
        drop,
    ]
