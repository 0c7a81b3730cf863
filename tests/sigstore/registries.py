"""Two registries on this machine, one with the referrers API and one without, and a client."""

import hashlib
import json
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import devcluster
from tests.sigstore.services import LOCAL, Service, free_port, running

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True)
class Registry:
    """A registry, and the folder that its blobs are in."""

    host: str
    folder: Path

    def push_image(self, repository: str, content: bytes) -> str:
        """Push an image whose layer is of this content; its digest."""
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.push_blob(repository, _CONFIG, b'{"os":"linux"}'),
            "layers": [self.push_blob(repository, _LAYER, content)],
        }
        return self.push_manifest(repository, manifest)

    def push_blob(self, repository: str, media_type: str, content: bytes) -> dict[str, Any]:
        """Push a blob; its descriptor."""
        digest = _digest(content)
        uploads = f"/v2/{repository}/blobs/uploads/"
        place = self._ask("POST", uploads).headers["Location"]
        place = urllib.parse.urljoin(f"http://{self.host}", place)
        query = urllib.parse.urlencode({"digest": digest})
        target = f"{place}{'&' if '?' in place else '?'}{query}"
        self._ask("PUT", target, content, "application/octet-stream")
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    def push_manifest(
        self, repository: str, manifest: Mapping[str, Any], tag: str | None = None
    ) -> str:
        """Push a manifest, under a tag or by its digest, which is the answer."""
        content = json.dumps(manifest).encode()
        digest = _digest(content)
        path = f"/v2/{repository}/manifests/{tag or digest}"
        self._ask("PUT", path, content, str(manifest["mediaType"]))
        return digest

    def manifest(self, repository: str, reference: str) -> dict[str, Any]:
        """A manifest or an index."""
        answer = self._ask("GET", f"/v2/{repository}/manifests/{reference}")
        return dict(json.load(answer))

    def blob(self, repository: str, digest: str) -> bytes:
        """A blob."""
        content: bytes = self._ask("GET", f"/v2/{repository}/blobs/{digest}").read()
        return content

    def referrers(self, repository: str, digest: str) -> list[dict[str, Any]]:
        """The manifests that refer to a digest, by the API."""
        answer = self._ask("GET", f"/v2/{repository}/referrers/{digest}")
        return list(json.load(answer)["manifests"])

    def blob_file(self, digest: str) -> Path:
        """The file that a blob is in."""
        name = digest.removeprefix("sha256:")
        found = (path for path in self.folder.rglob(f"*{name}*") if "blobs" in path.parts)
        files = [path / "data" if path.is_dir() else path for path in found]
        return next(path for path in files if path.is_file())

    def _ask(self, method: str, path: str, body: bytes | None = None, media_type: str = "") -> Any:
        url = urllib.parse.urljoin(f"http://{self.host}", path)
        headers = {"Accept": f"{MANIFEST}, {INDEX}"}
        if media_type:
            headers["Content-Type"] = media_type
        request = urllib.request.Request(url, data=body, method=method, headers=headers)  # noqa: S310
        return urllib.request.urlopen(request, timeout=5)  # noqa: S310


@contextmanager
def with_referrers(folder: Path) -> Iterator[Registry]:
    """The registry that has the referrers API."""
    folder.mkdir(parents=True)
    host = f"{LOCAL}:{free_port()}"
    arguments = (f"-address={host}", f"-directory={folder / 'content'}")
    tool = devcluster.tool("registry-with-referrers")
    with running(Service(tool, arguments, f"http://{host}/v2/"), folder):
        yield Registry(host, folder / "content")


@contextmanager
def without_referrers(folder: Path) -> Iterator[Registry]:
    """The distribution registry, which has no referrers API."""
    folder.mkdir(parents=True)
    host, content = f"{LOCAL}:{free_port()}", folder / "content"
    config = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(content)}},
        "http": {"addr": host},
    }
    (folder / "registry.json").write_text(json.dumps(config))
    service = Service(
        devcluster.tool("registry"),
        ("serve", str(folder / "registry.json")),
        f"http://{host}/v2/",
        # It would look for a collector of traces that is not there.
        {"OTEL_TRACES_EXPORTER": "none"},
    )
    with running(service, folder):
        yield Registry(host, content)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
