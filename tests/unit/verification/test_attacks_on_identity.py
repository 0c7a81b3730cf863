"""Certificates that must not count: issued by others, for others, or for something else."""

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.unit.verification import der, keyless, signing
from tests.unit.verification.keyless import (
    BUNDLE_01,
    BUNDLE_02,
    ISSUER,
    SUBJECT,
    Attack,
    Case,
    Keyless,
    attach,
)
from tests.unit.verification.scene import Scene
from tests.unit.verification.signing import Key, key
from tests.unit.verification.simulated_sigstore import (
    CA,
    MINUTE,
    T0,
    CertificateLog,
    b64,
    certificate_der,
    foreign,
    iso,
    trusted,
    usage,
)

V1 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
V2 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
USER = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.7")


def _signed_by_itself() -> x509.Certificate:
    """A certificate with all the right names, by nobody but its holder."""
    private = key("leaf").private
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "intermediate")])
    return (
        x509.CertificateBuilder(name, x509.Name([]), private.public_key(), 7)
        .not_valid_before(T0)
        .not_valid_after(T0 + 10 * MINUTE)
        .add_extension(usage(signs=True), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False)
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(SUBJECT)]), True)
        .add_extension(x509.UnrecognizedExtension(V2, der.utf8(ISSUER)), False)
        .sign(private, hashes.SHA256())
    )


def _issued_by_a_signer() -> Keyless:
    """A certificate that another signer's certificate issued, as if that were an authority."""
    signer = Keyless()
    assert signer.certificate is not None and isinstance(
        signer.key.private, ec.EllipticCurvePrivateKey
    )
    ca = CA(key=signer.key.private)
    ca.chain[:] = [signer.certificate]
    return Keyless(ca=ca)


def _chain(made: Keyless, *others: x509.Certificate) -> dict[str, Any]:
    assert made.certificate is not None
    items = [made.certificate, *others]
    listed = [{"rawBytes": b64(certificate_der(item))} for item in items]
    return {"media_type": BUNDLE_01, "x509CertificateChain": {"certificates": listed}}


def _with_chain(scene: Scene, made: Keyless, *others: x509.Certificate) -> str | None:
    return attach(scene, made, **_chain(made, *others))


def _expired_intermediate(scene: Scene) -> str | None:
    ca = CA(intermediate_end=T0 - MINUTE)
    root = trusted().root(certificateAuthorities=[ca.wire()])
    return attach(scene, Keyless(ca=ca), root=root)


def _retired_authority(scene: Scene) -> str | None:
    period = {"start": "2026-01-01T00:00:00Z", "end": iso(T0)}
    root = trusted().root(certificateAuthorities=[trusted().ca.wire(validFor=period)])
    return attach(scene, Keyless(), root=root)


ON_CERTIFICATES: dict[str, Case] = {
    "a certificate of another authority": (
        lambda s: attach(s, Keyless(ca=foreign().ca)),
        "UntrustedCertificate",
        "does not lead to an authority",
    ),
    "another authority, whose certificates come along": (
        lambda s: _with_chain(
            s, Keyless(ca=foreign().ca, log=trusted().log1), foreign().ca.chain[0]
        ),
        "UntrustedCertificate",
        "does not lead to an authority",
    ),
    "a root that comes along": (
        lambda s: _with_chain(s, Keyless(ca=foreign().ca, log=trusted().log1), *foreign().ca.chain),
        "MalformedSignature",
        "holds a root",
    ),
    "a certificate that its holder signed": (
        lambda s: attach(s, Keyless(key=key("leaf"), certificate=_signed_by_itself())),
        "UntrustedCertificate",
        "does not lead to an authority",
    ),
    "a certificate that another signer issued": (
        lambda s: attach(s, _issued_by_a_signer()),
        "UntrustedCertificate",
        "does not lead to an authority",
    ),
    "the certificate of an authority": (
        lambda s: attach(s, Keyless(more=[x509.BasicConstraints(ca=True, path_length=None)])),
        "UntrustedCertificate",
        "is an authority's",
    ),
    "the authority's own key and certificate": (
        lambda s: attach(s, Keyless(key=Key(trusted().ca.key), certificate=trusted().ca.chain[0])),
        "UntrustedCertificate",
        "is an authority's",
    ),
    "a certificate that is not for signing code": (
        lambda s: attach(s, Keyless(purposes=[ExtendedKeyUsageOID.SERVER_AUTH])),
        "UntrustedCertificate",
        "not for signing code",
    ),
    "a key that is not for signatures": (
        lambda s: attach(s, Keyless(signs=False)),
        "UntrustedCertificate",
        "not for digital signatures",
    ),
    "an RSA key of 1024 bits in a certificate": (
        lambda s: attach(s, Keyless(key=Key(rsa.generate_private_key(65537, 1024)))),  # noqa: S505
        "UntrustedCertificate",
        "1024 bits",
    ),
    "a key on P-224 in a certificate": (
        lambda s: attach(s, Keyless(key=Key(ec.generate_private_key(ec.SECP224R1())))),
        "UntrustedCertificate",
        "secp224r1",
    ),
    "a critical extension that nobody knows": (
        lambda s: attach(
            s, Keyless(more=[x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0")])
        ),
        "UntrustedCertificate",
        "does not lead to an authority",
    ),
    "an intermediate that had expired": (
        _expired_intermediate,
        "UntrustedCertificate",
        "not valid at validation time",
    ),
    "an authority that was retired before": (
        _retired_authority,
        "UntrustedCertificate",
        "was not in use at",
    ),
    "an empty chain of certificates": (
        lambda s: attach(
            s,
            Keyless(log=trusted().log1),
            media_type=BUNDLE_02,
            x509CertificateChain={"certificates": []},
        ),
        "MalformedSignature",
        "chain is empty",
    ),
    "a chain where a bundle has one certificate": (
        lambda s: attach(s, Keyless(), certificate=None, x509CertificateChain={}),
        "MalformedSignature",
        "exactly one kind of verification material",
    ),
    "nine certificates": (
        lambda s: _with_chain(s, Keyless(log=trusted().log1), *[trusted().ca.chain[0]] * 9),
        "MalformedSignature",
        "at most 8",
    ),
    "a certificate with bytes after its end": (
        lambda s: attach(s, made := Keyless(), certificate={"rawBytes": b64(_der(made) + b"\0")}),
        "MalformedSignature",
        "cannot be read",
    ),
    "the certificate of somebody else's signature": (
        lambda s: attach(s, Keyless(), certificate={"rawBytes": b64(_der(Keyless()))}),
        "WrongKey",
        "not by the key of its certificate",
    ),
}


def _der(made: Keyless) -> bytes:
    assert made.certificate is not None
    return certificate_der(made.certificate)


def _of_another_certificate() -> Keyless:
    """The promise for one certificate in another."""
    kept: list[bytes] = []

    def the_first(made: bytes) -> bytes:
        kept.append(made)
        return kept[0]

    Keyless(promise=the_first)
    return Keyless(promise=the_first)


def _retired_certificate_log(scene: Scene) -> str | None:
    log = trusted().certificate_log.wire()
    log["publicKey"]["validFor"]["end"] = iso(T0 - MINUTE)
    return attach(scene, Keyless(), root=trusted().root(ctlogs=[log]))


class _Impostor(CertificateLog):
    """Says that it is the trusted log."""

    @property
    def id(self) -> bytes:
        return trusted().certificate_log.id


ON_PROMISES: dict[str, Case] = {
    "a certificate that no log promised to publish": (
        lambda s: attach(s, Keyless(certificate_logs=[])),
        "CertificateNotLogged",
        "no log promised",
    ),
    "a promise of a log that nobody trusts": (
        lambda s: attach(s, Keyless(certificate_logs=[foreign().certificate_log])),
        "CertificateNotLogged",
        "does not name",
    ),
    "a promise in the name of the trusted log": (
        lambda s: attach(s, Keyless(certificate_logs=[_Impostor()])),
        "CertificateNotLogged",
        "invalid signature",
    ),
    "the promise for another certificate": (
        lambda s: attach(s, _of_another_certificate()),
        "CertificateNotLogged",
        "invalid signature",
    ),
    "a promise whose time was changed": (
        lambda s: attach(s, Keyless(promise=lambda made: made[:40] + b"\1" + made[41:])),
        "CertificateNotLogged",
        "invalid signature",
    ),
    "two promises, one of them a stranger's": (
        lambda s: attach(
            s,
            Keyless(certificate_logs=[trusted().certificate_log, foreign().certificate_log]),
        ),
        "CertificateNotLogged",
        "2 logs promised",
    ),
    "a log of certificates that was retired before": (
        _retired_certificate_log,
        "CertificateNotLogged",
        "does not name for 2026-03-01T12:00:00Z",
    ),
    "a trust root without a log of certificates": (
        lambda s: attach(s, Keyless(), root=trusted().root(ctlogs=[])),
        "CertificateNotLogged",
        "does not name",
    ),
    "a promise that is no promise": (
        lambda s: attach(s, Keyless(promise=lambda made: b"\0" * 10)),
        "MalformedSignature",
        "cannot be read",
    ),
}


def _named(*names: x509.GeneralName) -> Attack:
    return lambda scene: attach(scene, Keyless(names=names))


def _uri(text: str) -> Attack:
    return _named(x509.UniformResourceIdentifier(text))


def _user(text: str) -> Attack:
    return _named(x509.OtherName(USER, der.utf8(text)))


def _vouched(issuers: dict[x509.ObjectIdentifier, bytes]) -> Attack:
    return lambda scene: attach(scene, Keyless(issuers=issuers))


ON_NAMES: dict[str, Case] = {
    "another subject": (_uri("https://forge.example/mallory"), "WrongIdentity", "mallory"),
    "another issuer": (
        _vouched({V2: der.utf8("https://evil.example")}),
        "WrongIdentity",
        "evil.example",
    ),
    "an issuer with a slash more": (
        _vouched({V2: der.utf8(f"{ISSUER}/")}),
        "WrongIdentity",
        "issuer.example/",
    ),
    "a subject in other letters": (_uri(SUBJECT.upper()), "WrongIdentity", "FORGE"),
    "a subject that goes on": (_uri(f"{SUBJECT}-2"), "WrongIdentity", "main-2"),
    "a subject that begins earlier": (
        _uri(f"https://evil.example/?{SUBJECT}"),
        "WrongIdentity",
        "evil.example",
    ),
    "a subject with a zero byte": (_user(f"{SUBJECT}\0evil"), "WrongIdentity", "u0000evil"),
    "a subject with a letter that looks the same": (
        _user(SUBJECT.replace("e", "\u0435", 1)),
        "WrongIdentity",
        "u0435",
    ),
    "a subject and an issuer that change places": (
        lambda s: attach(
            s,
            Keyless(
                names=[x509.UniformResourceIdentifier(ISSUER)], issuers={V2: der.utf8(SUBJECT)}
            ),
        ),
        "WrongIdentity",
        "issuer.example",
    ),
    "two subjects, one of them trusted": (
        _named(
            x509.UniformResourceIdentifier(SUBJECT),
            x509.UniformResourceIdentifier("https://evil.example"),
        ),
        "UntrustedCertificate",
        "names 2 subjects",
    ),
    "a host as the subject": (
        _named(x509.DNSName("forge.example")),
        "UntrustedCertificate",
        "of the kind DNSName",
    ),
    "a name of an unknown kind": (
        _named(x509.OtherName(x509.ObjectIdentifier("1.2.3"), der.utf8(SUBJECT))),
        "UntrustedCertificate",
        "of the kind OtherName",
    ),
    "no issuer of the identity": (_vouched({}), "UntrustedCertificate", "names 0 issuers"),
    "two issuers that differ": (
        _vouched({V1: b"https://evil.example", V2: der.utf8(ISSUER)}),
        "UntrustedCertificate",
        "names 2 issuers",
    ),
    "an issuer that is bare text in the new extension": (
        _vouched({V2: ISSUER.encode()}),
        "UntrustedCertificate",
        "other than text",
    ),
    "an issuer with bytes after its end": (
        _vouched({V2: der.utf8(ISSUER) + b"evil"}),
        "UntrustedCertificate",
        "another length",
    ),
    "an issuer whose length is not written shortest": (
        _vouched({V2: bytes([0x0C, 0x81, len(ISSUER)]) + ISSUER.encode()}),
        "UntrustedCertificate",
        "another length",
    ),
    "an issuer that is not UTF-8": (
        _vouched({V2: b"\x0c\x02\xff\xfe"}),
        "UntrustedCertificate",
        "not UTF-8",
    ),
}


@pytest.mark.parametrize(
    ("attack", "reason", "told"),
    [*ON_CERTIFICATES.values(), *ON_PROMISES.values(), *ON_NAMES.values()],
    ids=[*ON_CERTIFICATES, *ON_PROMISES, *ON_NAMES],
)
async def test_a_certificate_is_refused_for(
    scene: Scene, attack: Attack, reason: str, told: str
) -> None:
    root = attack(scene)
    verdict = await scene.verify(keyless.policy(scene.registry), trust=keyless.trust(root))
    assert (verdict.verdict, verdict.reason) == ("Refused", reason), verdict.message
    assert told in verdict.message


_PATTERNS = {
    "a subject before what the pattern says": (
        r"https://forge\.example/team/.*",
        "https://evil.example/?https://forge.example/team/app",
    ),
    "a subject after what the pattern says": (
        r"https://forge\.example/team/app",
        "https://forge.example/team/app-of-mallory",
    ),
    "one of two branches that are anchored at one end each": (
        r"^https://forge\.example/team/app|https://forge\.example/ops$",
        "https://forge.example/team/app-of-mallory",
    ),
    "a line break that ends what the pattern says": (
        r"https://forge\.example/team/.*",
        "https://forge.example/team/app\nhttps://evil.example",
    ),
    "a line break after what the pattern says": (
        r"https://forge\.example/team/app$",
        "https://forge.example/team/app\n",
    ),
    "a dot that stands for any character": (
        r"https://forge\.example/team",
        "https://forgeXexample/team",
    ),
    "a pattern that takes other engines for ever": (r"(a+)+b", "a" * 500),
}


@pytest.mark.parametrize(("pattern", "subject"), _PATTERNS.values(), ids=_PATTERNS)
async def test_a_pattern_does_not_match(scene: Scene, pattern: str, subject: str) -> None:
    attach(scene, Keyless(names=[x509.OtherName(USER, der.utf8(subject))]))
    wanted = keyless.authority(identities=[{"issuer": ISSUER, "subjectPattern": pattern}])
    verdict = await scene.verify(keyless.policy(scene.registry, wanted), trust=keyless.trust())
    assert (verdict.verdict, verdict.reason) == ("Refused", "WrongIdentity"), verdict.message


async def test_a_certificate_without_a_name_is_refused(scene: Scene) -> None:
    attach(scene, Keyless(names=[]))
    verdict = await scene.verify(keyless.policy(scene.registry), trust=keyless.trust())
    assert verdict.reason == "UntrustedCertificate", verdict.message


async def test_a_keyless_signature_is_nothing_to_a_key(scene: Scene) -> None:
    attach(scene, Keyless())
    verdict = await scene.verify(scene.trust())
    assert (verdict.verdict, verdict.reason) == ("Refused", "UnsupportedSignature")


async def test_a_signature_by_a_key_is_nothing_to_an_identity(scene: Scene) -> None:
    scene.bundle(signing.bundle_for(scene.digest, key()))
    verdict = await scene.verify(keyless.policy(scene.registry), trust=keyless.trust())
    assert (verdict.verdict, verdict.reason) == ("Refused", "UnsupportedSignature")
