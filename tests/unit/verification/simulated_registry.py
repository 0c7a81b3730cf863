"""A registry on 127.0.0.1: honest by default, with a switch for every lie it can tell."""

import asyncio
import base64
import hashlib
import json
import ssl
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass
class Lies:
    """What the registry does wrong. Paths are matched by substring."""

    referrers_api: bool = True
    # path part -> status
    status: dict[str, int] = field(default_factory=dict)
    # path part -> body that is served instead
    body: dict[str, bytes] = field(default_factory=dict)
    # path part -> headers that are added
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    # path part -> location
    redirect: dict[str, str] = field(default_factory=dict)
    # path part -> endless body
    endless: set[str] = field(default_factory=set)
    # path part -> seconds before the answer
    delay: dict[str, float] = field(default_factory=dict)
    pagination_loop: bool = False
    page_size: int = 0
    # Value of WWW-Authenticate; without the right Authorization every answer is 401.
    challenge: str = ""
    token: str = "token-of-the-test"
    token_body: bytes | None = None
    token_needs: tuple[str, str] | None = None
    basic: tuple[str, str] | None = None


class SimulatedRegistry:
    def __init__(self) -> None:
        self.lies = Lies()
        self.host = ""
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[bytes, str]] = {}
        self.referrers: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.uploads: dict[str, bytearray] = {}
        # (method, path, Authorization header)
        self.requests: list[tuple[str, str, str | None]] = []

    # What tests put in

    def put_blob(self, data: bytes) -> str:
        self.blobs[sha256(data)] = data
        return sha256(data)

    def put_manifest(
        self, repository: str, document: dict[str, Any] | bytes, *, tag: str | None = None
    ) -> str:
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        parsed = json.loads(data)
        media_type = parsed.get("mediaType", OCI_MANIFEST)
        digest = sha256(data)
        self.manifests[repository, digest] = (data, media_type)
        if tag is not None:
            self.manifests[repository, tag] = (data, media_type)
        subject = parsed.get("subject")
        if isinstance(subject, dict):
            descriptor = {
                "mediaType": media_type,
                "digest": digest,
                "size": len(data),
                "artifactType": parsed.get("artifactType")
                or parsed.get("config", {}).get("mediaType", ""),
                "annotations": parsed.get("annotations", {}),
            }
            self.refer(repository, subject["digest"], descriptor)
        return digest

    def refer(self, repository: str, digest: str, descriptor: dict[str, Any]) -> None:
        """Lists a referrer, by the API and in the index at the fallback tag."""
        listed = self.referrers.setdefault((repository, digest), [])
        listed[:] = [item for item in listed if item["digest"] != descriptor["digest"]]
        listed.append(descriptor)
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed}
        tag = digest.replace(":", "-")
        self.manifests[repository, tag] = (json.dumps(index).encode(), OCI_INDEX)

    def paths(self) -> list[str]:
        return [path for _, path, _ in self.requests]

    # What clients see

    def app(self) -> web.Application:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_get("/token", self._token)
        app.router.add_route("*", "/v2/", self._base)
        app.router.add_get("/v2/{repo:.+}/referrers/{digest}", self._referrers)
        app.router.add_get("/v2/{repo:.+}/manifests/{selector}", self._get_manifest)
        app.router.add_put("/v2/{repo:.+}/manifests/{selector}", self._put_manifest)
        app.router.add_post("/v2/{repo:.+}/blobs/uploads/", self._start_upload)
        app.router.add_patch("/v2/{repo:.+}/blobs/uploads/{id}", self._upload)
        app.router.add_put("/v2/{repo:.+}/blobs/uploads/{id}", self._upload)
        app.router.add_get("/v2/{repo:.+}/blobs/{digest}", self._get_blob)
        app.router.add_get("/elsewhere/{digest}", self._elsewhere)
        app.middlewares.append(self._misbehave)
        return app

    @web.middleware
    async def _misbehave(self, request: web.Request, handler: Any) -> web.StreamResponse:
        path = request.path
        given = request.headers.get("Authorization")
        self.requests.append((request.method, request.path_qs, given))
        lies = self.lies
        for part, seconds in lies.delay.items():
            if part in path:
                await asyncio.sleep(seconds)
        if lies.challenge and path.startswith("/v2/") and not self._authorized(given):
            return web.Response(
                status=401,
                headers={"WWW-Authenticate": lies.challenge.replace("HOST", self.host)},
            )
        for part, status in lies.status.items():
            if part in path:
                return web.Response(status=status, text="no")
        for part, location in lies.redirect.items():
            if part in path:
                return web.Response(status=307, headers={"Location": location})
        if any(part in path for part in lies.endless):
            return await self._endless(request)
        response: web.Response = await handler(request)
        for part, body in lies.body.items():
            if part in path:
                response = web.Response(body=body, headers={"Content-Type": response.content_type})
        for part, headers in lies.headers.items():
            if part in path:
                response.headers.update(headers)
        return response

    def _authorized(self, given: str | None) -> bool:
        if self.lies.basic is not None:
            text = ":".join(self.lies.basic).encode()
            return given == f"Basic {base64.b64encode(text).decode()}"
        return given == f"Bearer {self.lies.token}"

    async def _endless(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": OCI_MANIFEST})
        await response.prepare(request)
        for _ in range(2000):
            await response.write(b" " * 65536)
        return response

    async def _token(self, request: web.Request) -> web.Response:
        if self.lies.token_needs is not None:
            text = ":".join(self.lies.token_needs).encode()
            wanted = f"Basic {base64.b64encode(text).decode()}"
            if request.headers.get("Authorization") != wanted:
                return web.Response(status=401)
        if self.lies.token_body is not None:
            return web.Response(body=self.lies.token_body)
        return web.json_response({"token": self.lies.token, "expires_in": 300})

    async def _base(self, request: web.Request) -> web.Response:
        return web.Response(text="{}")

    async def _elsewhere(self, request: web.Request) -> web.Response:
        return web.Response(body=self.blobs[request.match_info["digest"]])

    async def _referrers(self, request: web.Request) -> web.Response:
        if not self.lies.referrers_api:
            return web.Response(status=404)
        repo, digest = request.match_info["repo"], request.match_info["digest"]
        listed = self.referrers.get((repo, digest), [])
        headers = {"Content-Type": OCI_INDEX}
        start = int(request.query.get("start", "0"))
        size = self.lies.page_size or len(listed) or 1
        if self.lies.pagination_loop:
            headers["Link"] = f'<{request.path_qs}>; rel="next"'
        elif start + size < len(listed):
            headers["Link"] = f'<{request.path}?start={start + size}>; rel="next"'
        index = {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": listed[start : start + size],
        }
        return web.Response(body=json.dumps(index).encode(), headers=headers)

    async def _get_manifest(self, request: web.Request) -> web.Response:
        found = self.manifests.get((request.match_info["repo"], request.match_info["selector"]))
        if found is None:
            return web.json_response({"errors": [{"code": "MANIFEST_UNKNOWN"}]}, status=404)
        data, media_type = found
        return web.Response(
            body=data, headers={"Content-Type": media_type, "Docker-Content-Digest": sha256(data)}
        )

    async def _put_manifest(self, request: web.Request) -> web.Response:
        selector = request.match_info["selector"]
        tag = None if selector.startswith("sha256:") else selector
        digest = self.put_manifest(request.match_info["repo"], await request.read(), tag=tag)
        headers = {"Docker-Content-Digest": digest, "Location": request.path}
        subject = json.loads(self.manifests[request.match_info["repo"], digest][0]).get("subject")
        if subject and self.lies.referrers_api:
            headers["OCI-Subject"] = subject["digest"]
        return web.Response(status=201, headers=headers)

    async def _get_blob(self, request: web.Request) -> web.Response:
        data = self.blobs.get(request.match_info["digest"])
        if data is None:
            return web.Response(status=404)
        return web.Response(body=data, headers={"Content-Type": "application/octet-stream"})

    async def _start_upload(self, request: web.Request) -> web.Response:
        upload = uuid.uuid4().hex
        self.uploads[upload] = bytearray()
        return web.Response(status=202, headers={"Location": f"{request.path}{upload}"})

    async def _upload(self, request: web.Request) -> web.Response:
        upload = self.uploads[request.match_info["id"]]
        upload += await request.read()
        if request.method == "PATCH":
            return web.Response(
                status=202,
                headers={"Location": request.path, "Range": f"0-{max(len(upload) - 1, 0)}"},
            )
        digest = self.put_blob(bytes(upload))
        return web.Response(status=201, headers={"Docker-Content-Digest": digest})


@asynccontextmanager
async def serving(tls: ssl.SSLContext | None = None) -> AsyncIterator[SimulatedRegistry]:
    registry = SimulatedRegistry()
    runner = web.AppRunner(registry.app(), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    registry.host = f"127.0.0.1:{port}"
    try:
        yield registry
    finally:
        await runner.cleanup()
