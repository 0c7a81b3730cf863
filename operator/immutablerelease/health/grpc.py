"""A probe by gRPC: one call of grpc.health.v1.Health/Check on a connection of its own.

The protocol: https://github.com/grpc/grpc/blob/master/doc/health-checking.md. Only SERVING passes.
Without TLS, as the kubelet asks: what a Pod answers on its own address proves that it works, not
who it is.
"""

import asyncio
from typing import Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from immutablerelease.api.meta import MANAGER
from immutablerelease.api.probe import GrpcProbe

from .address import authority
from .errors import Failed, printable

_OPTIONS: Final = (
    # A connection that another attempt left behind, or its backoff, would answer for this one.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),
    # The Pod could send a configuration of how it wants to be asked.
    ("grpc.service_config_disable_resolution", 1),
    ("grpc.max_receive_message_length", 1024),
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.primary_user_agent", f"{MANAGER}/probe"),
)
_HINTS: Final = {
    grpc.StatusCode.UNIMPLEMENTED: "the Pod does not serve the health protocol of gRPC",
    grpc.StatusCode.NOT_FOUND: "the Pod knows no service of that name",
}


async def ask(probe: GrpcProbe, address: str, port: int, *, timeout: float) -> str:
    """The answer in words; raises Failed when it is another one than SERVING."""
    scheme = "ipv6" if ":" in address else "ipv4"
    place = authority(address, port)
    about = f"gRPC health of {probe.service!r} at {place}" if probe.service else f"gRPC {place}"
    try:
        async with asyncio.timeout(timeout):
            status = await _status(f"{scheme}:{place}", probe.service, timeout)
    except (TimeoutError, grpc.aio.AioRpcError) as error:
        raise Failed(f"{about}: {_reason(error, timeout)}") from None
    if status != health_pb2.HealthCheckResponse.SERVING:
        raise Failed(f"{about}: got {_name(status)}, expected SERVING")
    return f"{about}: SERVING"


async def _status(target: str, service: str, timeout: float) -> int:
    async with grpc.aio.insecure_channel(target, options=_OPTIONS) as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        answer = await health_pb2_grpc.HealthStub(channel).Check(request, timeout=timeout)
        return int(answer.status)


def _reason(error: Exception, timeout: float) -> str:
    if not isinstance(error, grpc.aio.AioRpcError):
        return f"no answer within {timeout:g} s"
    code = error.code()
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return f"no answer within {timeout:g} s"
    found = _HINTS.get(code) or printable(error.details() or "")
    return f"{code.name}: {found}" if found else str(code.name)


def _name(status: int) -> str:
    names = health_pb2.HealthCheckResponse.ServingStatus
    return str(names.Name(status)) if status in names.values() else f"status {status}"
