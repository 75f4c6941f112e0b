"""Reading all of an HTTP request from a socket: what is closed with a part of it unread is reset."""

from __future__ import annotations

import re
import socket

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


def whole_request(connection: socket.socket) -> bytes:
    """One request with its body, as far as the other side sends it; anything else as it comes."""
    received = connection.recv(65536)
    while received:
        head, ended, body = received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if ended and len(body) >= (int(length[1]) if length else 0):
            break
        more = connection.recv(65536)
        if not more:
            break
        received += more
    return received
