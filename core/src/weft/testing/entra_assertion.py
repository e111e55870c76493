"""Client assertions (signed JWTs in place of a secret) as Entra checks them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from weft.testing.entra_errors import EntraError

_SKEW = 300
"""Seconds of clock difference Entra allows."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate registered on an application; ``x5t`` and ``x5t_s256`` as a JWT header names it."""

    public_key: Any
    x5t: str
    x5t_s256: str
    starts: datetime
    ends: datetime

    @classmethod
    def from_pem(cls, pem: str) -> Certificate:
        """Raises ValueError when the text holds no certificate."""
        read = x509.load_pem_x509_certificate(pem.encode())
        return cls(
            public_key=read.public_key(),
            x5t=_unpadded(read.fingerprint(hashes.SHA1())),  # noqa: S303 - the header's definition
            x5t_s256=_unpadded(read.fingerprint(hashes.SHA256())),
            starts=read.not_valid_before_utc,
            ends=read.not_valid_after_utc,
        )


def _unpadded(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def check_assertion(
    assertion: str, client_id: str, certificates: Sequence[Certificate], audiences: Sequence[str], now: int
) -> None:
    """Signature, certificate's and assertion's life, audience, issuer; ``now`` in seconds of the server's clock.
    Raises EntraError."""
    try:
        header = jwt.get_unverified_header(assertion)
    except jwt.InvalidTokenError:
        raise EntraError("invalid_request", 50027, "JWT token is invalid or malformed.", 400) from None
    certificate = next((item for item in certificates if _named(header) in ((item.x5t,), (item.x5t_s256,))), None)
    thumbprint = next(iter(_named(header)), "")
    if certificate is None:
        raise _refused(
            "The certificate with identifier used to sign the client assertion is not registered on application. "
            f"[Reason - The key was not found., Thumbprint of key used by client: '{_hex(thumbprint)}', Please "
            "visit the Azure Portal, Graph Explorer or directly use MS Graph to see configured keys for app Id "
            f"'{client_id}'.]"
        )
    if not certificate.starts.timestamp() <= now < certificate.ends.timestamp():
        raise _refused(
            "Client assertion contains an invalid signature. [Reason - The key used is expired., Thumbprint of key "
            f"used by client: '{_hex(thumbprint)}', Found key 'Start={certificate.starts:%m/%d/%Y %H:%M:%S}, "
            f"End={certificate.ends:%m/%d/%Y %H:%M:%S}']"
        )
    try:
        claims = jwt.decode(
            assertion,
            certificate.public_key,
            algorithms=["RS256", "PS256"],
            options={"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False},
        )
    except jwt.InvalidTokenError:
        raise _refused(
            "Client assertion failed signature validation. [Reason - The provided signature value did not match "
            f"the expected signature value., Thumbprint of key used by client: '{_hex(thumbprint)}']"
        ) from None
    _check_claims(claims, client_id, audiences, now)


def _check_claims(claims: dict[str, Any], client_id: str, audiences: Sequence[str], now: int) -> None:
    audience = claims.get("aud")
    if audience not in audiences:
        raise EntraError(
            "invalid_client",
            700023,
            "Client assertion audience claim does not match Realm issuer. Review the documentation at "
            "https://learn.microsoft.com/entra/identity-platform/certificate-credentials.",
            401,
        )
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        text = "Client assertion application identifier doesn't match 'client_id' parameter."
        raise EntraError("invalid_client", 700021, text, 401)
    expires, starts = claims.get("exp"), claims.get("nbf", claims.get("iat", now))
    if not isinstance(expires, (int, float)) or not isinstance(starts, (int, float)):
        raise EntraError("invalid_request", 50027, "JWT token is invalid or malformed.", 400)
    if not starts - _SKEW <= now < expires + _SKEW:
        raise EntraError(
            "invalid_client",
            700024,
            f"Client assertion is not within its valid time range. Current time: {_iso(now)}, assertion valid from "
            f"{_iso(starts)}, expiry time of assertion {_iso(expires)}.",
            401,
        )


def _named(header: dict[str, Any]) -> tuple[str, ...]:
    named = header.get("x5t#S256") or header.get("x5t")
    return (named.rstrip("="),) if isinstance(named, str) else ()  # MSAL keeps the padding


def _hex(thumbprint: str) -> str:
    try:
        return base64.urlsafe_b64decode(thumbprint + "=" * (-len(thumbprint) % 4)).hex().upper()
    except ValueError:
        return thumbprint


def _refused(text: str) -> EntraError:
    return EntraError("invalid_client", 700027, text, 401)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.0000000Z")
