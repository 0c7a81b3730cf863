"""Keys and certificates of one cluster, made by openssl and kept as long as its state."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import StartError

_DAYS = "3650"
_CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


@dataclass(frozen=True)
class Identity:
    """A certificate and its key."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Authority:
    """The cluster's certificate authority and what it has signed, in one folder."""

    folder: Path

    @property
    def certificate(self) -> Path:
        """The certificate that everybody trusts."""
        return self.folder / "ca.crt"

    def ensure(self) -> None:
        """Make the authority's own key and the key pair for service account tokens."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        own = self._identity("ca")
        if not own.certificate.exists():
            self._request(own, "/CN=devcluster", ())
        if not self.token_verifier.exists():
            signer = str(self.token_signer)
            curve = "ec_paramgen_curve:P-256"
            _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", curve, "-out", signer)
            _openssl("pkey", "-in", signer, "-pubout", "-out", str(self.token_verifier))

    def client(self, name: str, *, user: str, group: str | None = None) -> Identity:
        """A client certificate for a user, as Kubernetes reads it: CN the user, O the group."""
        subject = f"/O={group}/CN={user}" if group else f"/CN={user}"
        return self._signed(name, subject, "extendedKeyUsage=clientAuth")

    def server(
        self, name: str, *, host_names: tuple[str, ...] = (), addresses: tuple[str, ...] = ()
    ) -> Identity:
        """A server certificate for the given names and addresses."""
        alternatives = [*(f"DNS:{host}" for host in host_names), *(f"IP:{ip}" for ip in addresses)]
        extensions = ("extendedKeyUsage=serverAuth", f"subjectAltName={','.join(alternatives)}")
        return self._signed(f"{name}-server", f"/CN={name}", *extensions)

    @property
    def token_signer(self) -> Path:
        """The private key that signs service account tokens."""
        return self.folder / "service-account.key"

    @property
    def token_verifier(self) -> Path:
        """The public key that service account tokens are checked with."""
        return self.folder / "service-account.pub"

    def _identity(self, name: str) -> Identity:
        return Identity(self.folder / f"{name}.crt", self.folder / f"{name}.key")

    def _signed(self, name: str, subject: str, *extensions: str) -> Identity:
        identity = self._identity(name)
        if not identity.certificate.exists():
            added = [part for extension in extensions for part in ("-addext", extension)]
            added += ["-addext", "basicConstraints=critical,CA:FALSE"]
            own = self._identity("ca")
            signer = ("-CA", str(own.certificate), "-CAkey", str(own.key))
            self._request(identity, subject, (*signer, *added))
        return identity

    def _request(self, identity: Identity, subject: str, options: tuple[str, ...]) -> None:
        # The certificate appears last and by a rename: where it is, its key is whole.
        partial = identity.certificate.with_suffix(".partial")
        files = ("-keyout", str(identity.key), "-out", str(partial))
        _openssl("req", "-x509", *_CURVE, "-days", _DAYS, "-subj", subject, *files, *options)
        partial.replace(identity.certificate)


def _openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise StartError(f"openssl {arguments[0]} failed: {done.stderr.strip()}")
