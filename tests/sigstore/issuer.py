"""An OpenID Connect issuer that says of anybody what the tests want said."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from tests.sigstore.web import serving

AUDIENCE = "sigstore"
_KEY_NAME = "key-1"
_MINUTES = 10 * 60


@dataclass(frozen=True)
class Issuer:
    """One issuer, known by its URL."""

    url: str
    key: rsa.RSAPrivateKey

    def token(self, email: str) -> str:
        """Says that the bearer owns the address."""
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": email,
            "email": email,
            "email_verified": True,
            "iat": now,
            "exp": now + _MINUTES,
        }
        return jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": _KEY_NAME})


@contextmanager
def issuing(port: int) -> Iterator[Issuer]:
    """An issuer that can be asked for its keys until the block ends."""
    url = f"http://127.0.0.1:{port}"
    key = rsa.generate_private_key(65537, 2048)
    public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    discovery = {
        "issuer": url,
        "jwks_uri": f"{url}/keys",
        "authorization_endpoint": f"{url}/auth",
        "token_endpoint": f"{url}/token",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }
    keys = {"keys": [{**public, "kid": _KEY_NAME, "alg": "RS256", "use": "sig"}]}
    answers = {
        "/.well-known/openid-configuration": lambda _: discovery,
        "/keys": lambda _: keys,
    }
    with serving(port, answers):
        yield Issuer(url, key)
