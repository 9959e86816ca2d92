"""DKIM (RFC 6376): the signature by which a domain stands for its mail, and the DNS record that proves it."""

from __future__ import annotations

import re
from base64 import b64encode
from textwrap import wrap

import dkim
from dkim import crypto

# Each is named once more than it occurs, so that nobody on the way can add a second one (RFC 6376, section
# 8.15). RFC 8058, section 4, wants both headers of one-click unsubscribing signed.
_SIGNED = (
    "From", "To", "Subject", "Date", "Message-ID", "List-Id", "List-Unsubscribe", "List-Unsubscribe-Post",
    "List-Help", "Auto-Submitted", "MIME-Version", "Content-Type",
)  # fmt: skip
_ONCE_MORE = ("From", "To", "Subject", "Date", "List-Unsubscribe", "List-Unsubscribe-Post", "Content-Type")
_FEWEST_BITS = 1024  # RFC 8301, section 3.2, which recommends 2048
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*")
_RSA = bytes.fromhex("300d06092a864886f70d0101010500")  # AlgorithmIdentifier of rsaEncryption (RFC 3279)


class SigningError(ValueError):
    """A key or a name with which nothing can be signed; the message says what it should be."""


class Signer:
    """Signs mails for one domain by rsa-sha256, relaxed/relaxed.

    ``domain`` is the one of the From address or one above it; ``selector`` names the key under it; ``key`` is
    an RSA private key in PEM. Raises `SigningError` for what cannot work, before any mail is signed.
    """

    def __init__(self, domain: str, selector: str, key: str) -> None:
        for what, name in (("domain", domain), ("selector", selector)):
            if not _NAME.fullmatch(name):
                raise SigningError(f"the DKIM {what} {name!r} is no name of letters, digits, '-' and '.'")
        self._domain, self._selector = domain.encode("ascii"), selector.encode("ascii")
        # dkimpy knows the key only between bare line feeds.
        self._key = key.replace("\r\n", "\n").encode("utf-8", "replace")
        self._public = _public_key(self._key)
        self._headers = [name.lower().encode("ascii") for name in (*_SIGNED, *_ONCE_MORE)]
        self._try()

    @property
    def record(self) -> tuple[str, str]:
        """The name and the value of the TXT record that the domain has to publish (RFC 6376, section 3.6)."""
        name = f"{self._selector.decode()}._domainkey.{self._domain.decode()}"
        return name, f"v=DKIM1; k=rsa; p={self._public}"

    def zone_line(self) -> str:
        """The record as a line of a zone file; a string of one holds 255 characters at most."""
        name, value = self.record
        parts = " ".join(f'"{part}"' for part in wrap(value, 250, drop_whitespace=False))
        return f"{name}. IN TXT ( {parts} )"

    def sign(self, message: bytes) -> bytes:
        """The mail with its signature above it; complete bytes with CRLF line ends in and out."""
        signature = dkim.sign(
            message, self._selector, self._domain, self._key, canonicalize=(b"relaxed", b"relaxed"),
            include_headers=self._headers,
        )  # fmt: skip
        return bytes(signature) + message

    def _try(self) -> None:
        """Sign something and verify it with our own record, so that a broken key is found at the start."""
        probe = b"From: a@example.org\r\nDate: Tue, 28 Oct 2025 07:30:00 +0100\r\n\r\nprobe\r\n"
        try:
            holds = dkim.verify(self.sign(probe), dnsfunc=lambda *_, **__: self.record[1].encode("ascii"))
        except (dkim.DKIMException, ValueError, ArithmeticError, AssertionError) as exc:
            raise SigningError(f"the DKIM key signs nothing: {exc}; {_HOW}") from exc
        if not holds:
            raise SigningError(f"the DKIM key makes signatures that do not hold; {_HOW}")


_HOW = "make one with `openssl genrsa -out dkim.pem 2048`"


def _public_key(pem: bytes) -> str:
    """The base64 of the SubjectPublicKeyInfo (RFC 5280) that belongs to an RSA private key."""
    try:
        key = crypto.parse_pem_private_key(pem)
    except (crypto.UnparsableKeyError, ValueError, AssertionError) as exc:
        locked = "it is encrypted" if b"ENCRYPTED" in pem else "it is none in PEM"
        raise SigningError(f"the DKIM key is no RSA private key that can be read: {locked}; {_HOW}") from exc
    modulus, exponent = key["modulus"], key["publicExponent"]
    if modulus.bit_length() < _FEWEST_BITS:
        raise SigningError(f"the DKIM key has {modulus.bit_length()} bits, and receivers want 2048; {_HOW}")
    numbers = b"".join(_der(0x02, n.to_bytes(n.bit_length() // 8 + 1)) for n in (modulus, exponent))
    return b64encode(_der(0x30, _RSA + _der(0x03, b"\0" + _der(0x30, numbers)))).decode("ascii")


def _der(tag: int, content: bytes) -> bytes:
    """One value in DER (X.690, section 8.1)."""
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + content
