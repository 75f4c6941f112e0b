"""What an http probe shows and trusts: its bearer token, and its TLS context.

With `ca_file`, only that file's authorities are trusted. No passphrase is ever asked for.
"""

from __future__ import annotations

import os
import ssl
import stat
from dataclasses import dataclass
from pathlib import Path

from eni_failover.adapters.probes.files import UnusableFileError
from eni_failover.adapters.probes.spec import HttpSettings

_MAX_TOKEN = 8 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Read from the files of one moment. `tls` is None where no https is asked for."""

    token: str | None
    tls: ssl.SSLContext | None


def files(settings: HttpSettings) -> tuple[Path, ...]:
    """The files that `load` reads, among them the system's authorities where they are trusted."""
    written = (
        settings.bearer_token_file,
        settings.ca_file,
        settings.client_cert_file,
        settings.client_key_file,
    )
    found = [path for path in written if path is not None]
    if _needs_tls(settings) and settings.tls_verify and settings.ca_file is None:
        system = ssl.get_default_verify_paths()
        found.append(Path(os.environ.get(system.openssl_cafile_env, system.openssl_cafile)))
    return tuple(found)


def load(settings: HttpSettings) -> Credentials:
    """Read them. Blocks on the disk. Raises UnusableFileError."""
    token = None if settings.bearer_token_file is None else _token(settings.bearer_token_file)
    return Credentials(token=token, tls=_context(settings) if _needs_tls(settings) else None)


def _needs_tls(settings: HttpSettings) -> bool:
    return settings.url.lower().startswith("https:") or settings.follow_redirects


def _token(path: Path) -> str:
    problem = "bearer_token_file is not readable, or holds no token"
    try:
        token = _read(path, _MAX_TOKEN).decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise UnusableFileError(problem) from None
    if not token or not token.isprintable():
        raise UnusableFileError(problem)
    return token


def _context(settings: HttpSettings) -> ssl.SSLContext:
    if settings.ca_file is not None and settings.tls_verify:
        problem = "ca_file is not readable, or holds no certificate"
        _must_be_regular(settings.ca_file, problem)
        try:
            context = ssl.create_default_context(cafile=settings.ca_file)
        except OSError:  # ssl.SSLError, for a file without a certificate, is one
            raise UnusableFileError(problem) from None
    else:
        context = ssl.create_default_context()
    # Python 3.13 and newer refuse certificates here that every other client takes.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not settings.tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if settings.client_cert_file is not None:
        _load_pair(context, settings.client_cert_file, settings.client_key_file)
    return context


def _load_pair(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    of_key = "client_cert_file" if key is None else "client_key_file"
    _must_be_regular(certificate, "client_cert_file is not readable")
    if key is not None:
        _must_be_regular(key, "client_key_file is not readable")

    def passphrase() -> str:
        raise UnusableFileError(f"{of_key} is encrypted: only a key without a passphrase can be used")

    try:
        context.load_cert_chain(certificate, key, password=passphrase)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise UnusableFileError("the certificate and the key of the client are no pair") from None
        raise UnusableFileError(
            "client_cert_file and client_key_file hold no certificate with its key"
        ) from None
    except OSError:
        raise UnusableFileError("client_cert_file or client_key_file is not readable") from None


def _must_be_regular(path: Path, problem: str) -> None:
    """OpenSSL would wait for ever for the writer of a FIFO."""
    try:
        _read(path, 1)
    except OSError:
        raise UnusableFileError(problem) from None


def _read(path: Path, limit: int) -> bytes:
    """The first bytes of a regular file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("not a regular file")
        return os.read(descriptor, limit)
    finally:
        os.close(descriptor)
