"""An HTTP/1 answer, read as leniently as a status allows.

The status is taken from the first line as soon as its digits are there. Fields and body are read only when
they are asked for, and a mistake in them is no error: what cannot be understood is passed over.
Why not aiohttp: it parses the whole head before it gives the status, and refuses one with a field that is
too long, an odd byte, or two contradicting lengths, whatever the status says.
"""

from __future__ import annotations

import asyncio
import codecs
import itertools
import re
import zlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace

MAX_HEAD = 256 * 1024
MAX_INFORMATIONAL = 32
MAX_CHUNKS = 8 * 1024
_MAX_STATUS_LINE = 1024  # up to the digits
_STATUS = re.compile(rb"HTTP/[0-9.]{1,16}[ \t]+([0-9]{3})(?![0-9])", re.IGNORECASE)
_HEAD_END = re.compile(rb"\n\r?\n")
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9a-fA-F]{1,16})[ \t]*(?:;.*)?\r?\n?", re.DOTALL)
_MAX_LINE = 8 * 1024
_MAX_REPEATS = 64  # of one field
_NO_BODY = frozenset({204, 304})
_SWITCHING = 101
_CUT = "more body than is read"
_CHARSET = re.compile(r";\s*charset\s*=\s*[\"']?([A-Za-z0-9._:-]{1,40})", re.IGNORECASE)
_ENCODINGS = ("utf-", "ascii", "iso8859-", "cp125", "koi8-", "shift_jis", "euc_", "gb", "big5")


class NotHttpError(Exception):
    """What came has no status, or nothing came; the text says which."""


class HeadTooLongError(Exception):
    """The head did not end within `MAX_HEAD` bytes, or the status did not come; the text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The first bytes of a body. `problem`: why it could not be read whole by us, empty when it was."""

    content: bytes
    problem: str = ""
    encoding: str = "utf-8"

    @property
    def text(self) -> str:
        """The content as text, whatever bytes it has."""
        return self.content.decode(self.encoding, "replace")


class Head:
    """The fields of an answer, looked up by lower-case name: a stranger's thousands are not taken apart."""

    def __init__(self, text: bytes) -> None:
        self._text = text

    def first(self, name: str) -> str | None:
        """The first value of this field."""
        return next(self._values(name), None)

    def words(self, name: str) -> list[str]:
        """The comma-separated values of all fields of this name, in lower case."""
        values = ",".join(itertools.islice(self._values(name), _MAX_REPEATS))
        return [word.strip().lower() for word in values.split(",") if word.strip()]

    def _values(self, name: str) -> Iterator[str]:
        """The values of the fields of this name, in their order. The first line is the status."""
        pattern = rb"\n[ \t]*" + re.escape(name.encode()) + rb"[ \t]*:([^\n]*)"
        for found in re.finditer(pattern, self._text, re.IGNORECASE):
            yield found[1].decode("utf-8", "replace").strip()

    def encoding(self) -> str:
        """The encoding that the body's type names, where it is a usual one; else UTF-8."""
        found = _CHARSET.search(self.first("content-type") or "")
        try:
            name = codecs.lookup(found[1]).name if found else ""
        except LookupError:
            name = ""
        return name if name.startswith(_ENCODINGS) else "utf-8"

    def length(self) -> int | None:
        """The length of the body, when the fields agree on one."""
        found = set(self.words("content-length"))
        text = found.pop() if len(found) == 1 else ""
        return int(text) if re.fullmatch("[0-9]{1,18}", text) else None


class AnswerReader:
    """Reads one answer in its order: status, then head, then body. `receive` gives b"" at the end."""

    def __init__(self, receive: Callable[[], Awaitable[bytes]]) -> None:
        self._receive = receive
        self._buffer = bytearray()
        self._body = bytearray()
        self._ended = False
        self._is_cut = False

    async def status(self) -> int:
        """The status, past informational answers. Raises NotHttpError, HeadTooLongError and OSError."""
        informational = blank = 0
        while True:
            length = len(self._buffer)
            self._buffer = self._buffer.lstrip(b"\r\n")
            blank += length - len(self._buffer)
            if blank > MAX_HEAD:
                raise HeadTooLongError(f"no status in the first {MAX_HEAD // 1024} KiB")
            found = _STATUS.match(self._buffer)
            if found and (self._ended or found.end() < len(self._buffer)):
                status = int(found[1])
                if not 100 <= status < 200 or status == _SWITCHING:
                    return status
                informational += 1
                if informational > MAX_INFORMATIONAL:
                    raise HeadTooLongError(f"more than {MAX_INFORMATIONAL} informational answers")
                await self.head()
            elif not await self._more_of_status():
                raise NotHttpError("not HTTP" if self._buffer else "closed without an answer")

    async def head(self) -> Head:
        """The fields; what came of them when the answer ends early. Raises HeadTooLongError."""
        searched = 0
        while (end := _HEAD_END.search(self._buffer, searched)) is None:
            searched = max(0, len(self._buffer) - 2)  # where an end may have begun
            if len(self._buffer) > MAX_HEAD:
                raise HeadTooLongError("more header than is read")
            if not await self._more():
                break
        length = len(self._buffer) if end is None else end.end()
        return Head(bytes(self._take(length)))

    async def body(self, head: Head, *, status: int, method: str, limit: int) -> Body:
        """At most `limit` bytes of the body, unpacked."""
        if method == "HEAD" or status in _NO_BODY:
            return Body(content=b"")
        if _is_chunked(head):
            await self._chunks(limit)
        else:
            length = head.length()
            await self._exactly(limit if length is None else min(length, limit))
        return self.body_so_far(head, limit=limit)

    def body_so_far(self, head: Head, *, limit: int) -> Body:
        """What `body`, which is still under way, has read of it."""
        content = bytes(self._body[:limit])
        codings = head.words("transfer-encoding")
        packed = [*head.words("content-encoding"), *(word for word in codings if word != "chunked")]
        body = _unpack(content, [word for word in packed if word != "identity"], limit)
        is_cut = self._is_cut or max(len(content), len(body.content)) >= limit
        return replace(body, problem=body.problem or (_CUT if is_cut else ""), encoding=head.encoding())

    async def _more_of_status(self) -> bool:
        """Read on while a status may still come."""
        if not b"HTTP/".startswith(self._buffer[:5].upper()) or len(self._buffer) > _MAX_STATUS_LINE:
            return False
        was_ended = self._ended
        if not await self._read():
            # Once more, for digits that stand at the very end.
            return not was_ended and _STATUS.match(self._buffer) is not None
        return True

    async def _chunks(self, limit: int) -> None:
        """The chunked body. From a wrong size on, what comes is taken as it is."""
        for _ in range(MAX_CHUNKS):
            left = limit - len(self._body)
            if left <= 0:
                return
            line = await self._line()
            size = _CHUNK_SIZE.fullmatch(line)
            if size is None:
                self._body += line
                await self._exactly(limit - len(self._body))
                return
            length = int(size[1], 16)
            if not length or await self._exactly(min(length, left)) < length:
                return
            await self._line()
        self._is_cut = True

    async def _line(self) -> bytes:
        while (end := self._buffer.find(b"\n")) < 0 and len(self._buffer) < _MAX_LINE:
            if not await self._more():
                break
        return bytes(self._take(len(self._buffer) if end < 0 else end + 1))

    async def _exactly(self, length: int) -> int:
        """Add so many bytes to the body; returns how many came, fewer when the answer ends early."""
        left = length
        while left > 0 and (self._buffer or await self._more()):
            taken = self._take(min(left, len(self._buffer)))
            self._body += taken
            left -= len(taken)
        return length - left

    def _take(self, length: int) -> bytearray:
        taken = self._buffer[:length]
        del self._buffer[:length]
        return taken

    async def _more(self) -> bool:
        """Read on; whatever breaks the connection after the status ends the answer."""
        try:
            return await self._read()
        except OSError:
            self._ended = True
            return False

    async def _read(self) -> bool:
        if not self._ended:
            received = await self._receive()
            await asyncio.sleep(0)  # what is there already comes at once: not even a flood may keep the loop
            self._buffer += received
            self._ended = not received
        return not self._ended


def _is_chunked(head: Head) -> bool:
    return "chunked" in head.words("transfer-encoding")


# zlib's window bits: 32 more is zlib or gzip by the first bytes; less than 0 is deflate alone, which many a
# server sends as "deflate".
_BY_FIRST_BYTES, _BARE = zlib.MAX_WBITS | 32, -zlib.MAX_WBITS
_CODINGS = {"gzip": (_BY_FIRST_BYTES,), "x-gzip": (_BY_FIRST_BYTES,), "deflate": (_BY_FIRST_BYTES, _BARE)}


def _unpack(content: bytes, codings: list[str], limit: int) -> Body:
    """Undo the content codings, the last one first."""
    for coding in reversed(codings):
        if coding not in _CODINGS:
            return Body(content=content, problem="body in a coding that is not read")
        unpacked = _inflate(content, _CODINGS[coding], limit)
        if unpacked is None:
            return Body(content=content, problem="body is not in the coding that its fields name")
        content = unpacked
    return Body(content=content)


def _inflate(content: bytes, windows: tuple[int, ...], limit: int) -> bytes | None:
    """At most `limit` bytes of packed content, which may be cut off; None when it is not packed."""
    for window in windows:
        unpacking = zlib.decompressobj(window)
        try:
            unpacked = unpacking.decompress(content, limit)
        except zlib.error:
            continue
        if unpacked or unpacking.eof or not content:
            return unpacked + _next_members(unpacking.unused_data, limit - len(unpacked))
    return None


def _next_members(content: bytes, limit: int) -> bytes:
    """What follows the first member of gzip content (RFC 1952, section 2.2); what is none is left out."""
    found = b""
    while content and len(found) < limit:
        unpacking = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            found += unpacking.decompress(content, limit - len(found))
        except zlib.error:
            break
        content = unpacking.unused_data
    return found
