"""Registries by HTTPS: trusted by the roots that the admin names for them, and by no others."""

import datetime
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from immutablerelease.verification.access import Access
from immutablerelease.verification.errors import RegistryCertificateInvalid, RegistryNotAllowed
from tests.unit.verification import signing
from tests.unit.verification.scene import Scene
from tests.unit.verification.simulated_registry import serving


def _certificate(folder: Path, address: str = "127.0.0.1") -> tuple[str, ssl.SSLContext]:
    """A certificate that signs itself, and a server that shows it."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "registry of the test")])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    made = (
        x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(private, hashes.SHA256())
    )
    pem = made.public_bytes(Encoding.PEM)
    secret = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "both.pem").write_bytes(pem + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    return pem.decode(), context


async def test_a_private_authority_is_trusted_for_the_registry_it_is_named_for(
    scene: Scene, tmp_path: Path
) -> None:
    pem, tls = _certificate(tmp_path)
    async with serving(tls) as registry:
        digest = signing.push_image(registry)
        cas = [{"hosts": [registry.host], "pem": pem}]
        access = scene.access(scene.trust(registries={"trustedCAs": cas}))
        resolved = await scene.verifier.resolve(f"{registry.host}/team/app:1.0", access)
        assert resolved.digest == digest


async def test_a_certificate_of_another_authority_is_not(scene: Scene, tmp_path: Path) -> None:
    _, tls = _certificate(tmp_path)
    other, _ = _certificate(tmp_path)
    async with serving(tls) as registry:
        access = Access(trusted_cas={registry.host: other})
        with pytest.raises(RegistryCertificateInvalid) as raised:
            await scene.verifier.resolve(f"{registry.host}/team/app:1.0", access)
        assert raised.value.retry
        assert "trustedCAs" in raised.value.diagnostics()
        assert not registry.requests


async def test_a_certificate_for_another_host_is_not(scene: Scene, tmp_path: Path) -> None:
    pem, tls = _certificate(tmp_path, "127.0.0.2")
    async with serving(tls) as registry:
        access = Access(trusted_cas={registry.host: pem})
        with pytest.raises(RegistryCertificateInvalid):
            await scene.verifier.resolve(f"{registry.host}/team/app:1.0", access)


async def test_an_authority_named_for_one_registry_is_not_trusted_for_another(
    scene: Scene, tmp_path: Path
) -> None:
    pem, tls = _certificate(tmp_path)
    async with serving(tls) as registry:
        access = Access(trusted_cas={"registry.example": pem})
        with pytest.raises(RegistryNotAllowed):
            await scene.verifier.resolve(f"{registry.host}/team/app:1.0", access)


async def test_a_redirect_from_https_to_plain_http_is_not_followed(
    scene: Scene, tmp_path: Path
) -> None:
    pem, tls = _certificate(tmp_path)
    async with serving(tls) as registry:
        registry.lies.redirect["/manifests/"] = f"http://{scene.registry.host}/v2/x"
        access = Access(trusted_cas={registry.host: pem}, insecure=frozenset({scene.registry.host}))
        with pytest.raises(RegistryNotAllowed):
            await scene.verifier.resolve(f"{registry.host}/team/app:1.0", access)
        assert not scene.registry.requests
