"""An image that every registry serves and no container runtime can unpack: its layer is noise."""

import hashlib
import json
import urllib.request

from demo.images import Image

TIMEOUT = 10.0
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def push_broken_image(registry: str, name: str) -> Image:
    """Push it by the registry's own protocol, since tools refuse to make such a thing."""
    repository, _, tag = name.rpartition(":")
    base = f"http://{registry}/v2/{repository}"
    noise = b"this is neither a tar archive nor compressed"
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Entrypoint": ["/app"]},
            "rootfs": {"type": "layers", "diff_ids": [_digest(noise)]},
        }
    ).encode()
    for blob in (config, noise):
        _push_blob(base, blob)
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _descriptor(_CONFIG, config),
            "layers": [_descriptor(_LAYER, noise)],
        }
    ).encode()
    _send("PUT", f"{base}/manifests/{tag}", manifest, _MANIFEST)
    return Image(f"{registry}/{name}", _digest(manifest))


def _descriptor(media_type: str, blob: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": _digest(blob), "size": len(blob)}


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _push_blob(base: str, blob: bytes) -> None:
    location = _send("POST", f"{base}/blobs/uploads/", b"", "application/octet-stream")
    if location.startswith("/"):
        location = base.partition("/v2/")[0] + location
    joint = "&" if "?" in location else "?"
    _send("PUT", f"{location}{joint}digest={_digest(blob)}", blob, "application/octet-stream")


def _send(method: str, url: str, body: bytes, media_type: str) -> str:
    headers = {"Content-Type": media_type}
    request = urllib.request.Request(url, body, headers, method=method)  # noqa: S310
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
        return str(answer.headers.get("Location", ""))
