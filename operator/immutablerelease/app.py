"""The operator as a process: wires its parts, runs them, and stops them in order.

kopf is the shell and the transport of watches. Its handlers only put what they are told into the
store and the key of the release that it concerns into the queue; nothing of kopf is written to any
object.
"""

import asyncio
import logging
import os
import random
import signal
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

import aiohttp

from immutablerelease.health.attempt import attempt
from immutablerelease.health.prober import Prober
from immutablerelease.runtime.controller import Controller, Memory
from immutablerelease.runtime.execute import Executor
from immutablerelease.runtime.key import Key
from immutablerelease.runtime.kubeapi import KubeApi
from immutablerelease.runtime.logs import set_up_logging
from immutablerelease.runtime.metrics import Metrics
from immutablerelease.runtime.observe import Observer
from immutablerelease.runtime.proving import Prover
from immutablerelease.runtime.queue import WorkQueue, run_workers
from immutablerelease.runtime.store import Store
from immutablerelease.runtime.telling import Telling
from immutablerelease.runtime.watching import Watching
from immutablerelease.runtime.web import Web
from immutablerelease.runtime.work import Work
from immutablerelease.verification.verifier import Verifier

log = logging.getLogger(__name__)

WORKERS = 16


@dataclass(frozen=True)
class Options:
    """What the environment says."""

    namespaces: tuple[str, ...]
    port: int
    log_format: str

    @classmethod
    def read(cls, environment: "os._Environ[str] | dict[str, str]") -> Self:
        """From variables with the prefix IRO_; raises ValueError with what to correct."""
        port = environment.get("IRO_PORT", "8080")
        log_format = environment.get("IRO_LOG_FORMAT", "json")
        if not port.isdecimal():
            raise ValueError(f"IRO_PORT must be a port number (got {port!r})")
        if log_format not in ("json", "text"):
            raise ValueError(f"IRO_LOG_FORMAT must be json or text (got {log_format!r})")
        names = environment.get("IRO_WATCH_NAMESPACES", "").split(",")
        return cls(tuple(name for name in names if name), int(port), log_format)
