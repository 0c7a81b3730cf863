"""A whole Sigstore on this machine: real Fulcio, Rekor v2 and timestamp authority.

Who somebody is says an issuer of the tests' own; a certificate log of theirs signs the promises.
"""

import json
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

import devcluster
from tests.sigstore.authority import new_authority
from tests.sigstore.certificate_log import promising
from tests.sigstore.cosign import NO_SERVICES, SIGNING_CONFIG, Cosign
from tests.sigstore.issuer import AUDIENCE, Issuer, issuing
from tests.sigstore.services import LOCAL, Service, alone, free_port, running
from tests.unit.verification.simulated_sigstore import CertificateLog

TOOLS = ("fulcio", "rekor-server", "timestamp-server")
_LOG_NAME = "rekor-local"
_PASSWORD = "not a secret"
_CHAIN = "/api/v1/timestamp/certchain"
_STAMP = "/api/v1/timestamp"


@dataclass(frozen=True)
class Part:
    """Where a service is, and the file that says why to believe it."""

    url: str
    proof: Path


@dataclass(frozen=True)
class Sigstore:
    """All services, by the names that cosign has for them: fulcio, rekor, tsa and ctfe."""

    parts: Mapping[str, Part]
    issuers: tuple[Issuer, ...]

    def url(self, name: str) -> str:
        """Where a service is."""
        return self.parts[name].url


@contextmanager
def deployed(folder: Path, issuers: int = 1) -> Iterator[Sigstore]:
    """A Sigstore that believes that many issuers and keeps its files in the folder."""
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        stack.enter_context(alone("fulcio"))
        made = tuple(stack.enter_context(issuing(free_port())) for _ in range(issuers))
        parts = {
            "ctfe": stack.enter_context(_certificate_log(folder)),
            "rekor": stack.enter_context(_rekor(folder)),
            "tsa": stack.enter_context(_clock(folder)),
        }
        parts["fulcio"] = stack.enter_context(_fulcio(folder, made, parts["ctfe"].url))
        yield Sigstore(parts, made)


def write_trust_root(cosign: Cosign, parts: Mapping[str, Part], name: str) -> str:
    """Have cosign write the trust root of these services; its text."""
    since = _since()
    key, chain = "public-key", "certificate-chain"
    # A log of version 2 is known by its name, not by where it is.
    log = parts["rekor"].proof
    cosign.do(
        *("trusted-root", "create", "--out", name),
        *("--fulcio", f"url={parts['fulcio'].url},{chain}={parts['fulcio'].proof}"),
        *("--ctfe", f"url={parts['ctfe'].url},{key}={parts['ctfe'].proof},start-time={since}"),
        *("--tsa", f"url={parts['tsa'].url},{chain}={parts['tsa'].proof}"),
        "--rekor",
        f"url=http://{_LOG_NAME},{key}={log},start-time={since},origin={_LOG_NAME}",
    )
    return cosign.path(name).read_text()


def write_signing_configs(cosign: Cosign, sigstore: Sigstore) -> None:
    """Have cosign write what it signs with: these services, and none."""
    version = f"start-time={_since()},operator=tests,api-version"
    cosign.do(
        *("signing-config", "create", "--out", SIGNING_CONFIG),
        *("--fulcio", f"url={sigstore.url('fulcio')},{version}=1"),
        *("--rekor", f"url={sigstore.url('rekor')},{version}=2", "--rekor-config", "EXACT:1"),
        *("--tsa", f"url={sigstore.url('tsa')},{version}=1", "--tsa-config", "EXACT:1"),
        *("--oidc-provider", f"url={sigstore.issuers[0].url},{version}=1"),
    )
    cosign.do("signing-config", "create", "--out", NO_SERVICES)


def _since() -> str:
    return (datetime.now(UTC) - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def _certificate_log(folder: Path) -> Iterator[Part]:
    log = CertificateLog()
    proof = _public(folder / "ct.pub", log.key.public_key())
    with promising(free_port(), log) as url:
        yield Part(url, proof)


@contextmanager
def _rekor(folder: Path) -> Iterator[Part]:
    key, port = ed25519.Ed25519PrivateKey.generate(), free_port()
    private = folder / "rekor.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    options = {
        "http-address": LOCAL,
        "http-port": str(port),
        "http-metrics-port": str(free_port()),
        "grpc-address": LOCAL,
        "grpc-port": str(free_port()),
        "hostname": _LOG_NAME,
        "storage-dir": str(folder / "rekor"),
        "signer-filepath": str(private),
        # Whoever logs waits for the next checkpoint.
        "checkpoint-interval": "200ms",
        "batch-max-age": "50ms",
    }
    url = f"http://{LOCAL}:{port}"
    with _serving("rekor-server", options, f"{url}/healthz", folder):
        yield Part(url, _public(folder / "rekor.pub", key.public_key()))


@contextmanager
def _clock(folder: Path) -> Iterator[Part]:
    port = free_port()
    url = f"http://{LOCAL}:{port}"
    service = Service(
        devcluster.tool("timestamp-server"), (f"-host={LOCAL}", f"-port={port}"), f"{url}/ping"
    )
    with running(service, folder):
        proof = folder / "tsa.pem"
        with urllib.request.urlopen(url + _CHAIN, timeout=5) as answer:  # noqa: S310
            proof.write_bytes(answer.read())
        yield Part(url + _STAMP, proof)


@contextmanager
def _fulcio(folder: Path, issuers: tuple[Issuer, ...], certificate_log: str) -> Iterator[Part]:
    port = free_port()
    options = {
        "host": LOCAL,
        "port": str(port),
        "grpc-host": LOCAL,
        "grpc-port": str(free_port()),
        "metrics-port": str(free_port()),
        "ca": "fileca",
        "fileca-cert": str(folder / "fulcio.pem"),
        "fileca-key": str(folder / "fulcio.key"),
        "fileca-key-passwd": _PASSWORD,
        "fileca-watch": "false",
        "ct-log-url": certificate_log,
        "config-path": str(folder / "fulcio.json"),
    }
    _write_authority(folder)
    believed = {
        issuer.url: {"IssuerURL": issuer.url, "ClientID": AUDIENCE, "Type": "email"}
        for issuer in issuers
    }
    (folder / "fulcio.json").write_text(json.dumps({"OIDCIssuers": believed}))
    url = f"http://{LOCAL}:{port}"
    with _serving("fulcio", options, f"{url}/healthz", folder):
        yield Part(url, folder / "fulcio.pem")


def _write_authority(folder: Path) -> None:
    authority = new_authority()
    (folder / "fulcio.pem").write_bytes(authority.chain)
    sealed = BestAvailableEncryption(_PASSWORD.encode())
    key = authority.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealed)
    (folder / "fulcio.key").write_bytes(key)


def _public(path: Path, key: PublicKeyTypes) -> Path:
    path.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


@contextmanager
def _serving(tool: str, options: Mapping[str, str], ready: str, folder: Path) -> Iterator[None]:
    arguments = tuple(f"--{name}={value}" for name, value in options.items())
    service = Service(devcluster.tool(tool), ("serve", *arguments), ready)
    with running(service, folder):
        yield
