"""How traffic moves from one revision of a release to the next: at once, or in steps."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from .base import Duration, Model, Rule


class Promotion(StrEnum):
    """Who decides that a tested candidate gets the traffic."""

    AUTOMATIC = "Automatic"
    MANUAL = "Manual"


class BlueGreen(Model):
    """All traffic moves at once, from the active revision to a candidate that passed its probes."""

    preview_replicas: Annotated[
        int | None,
        Field(
            description="Pods of the candidate while it is tested; it grows to `replicas` before "
            "traffic moves. Without it the candidate starts at full size.",
            ge=1,
            le=10000,
        ),
    ] = None
    promotion: Annotated[
        Promotion,
        Field(
            description="Automatic moves traffic as soon as the probes pass; "
            "Manual waits for a ReleaseAction of action Promote."
        ),
    ] = Promotion.AUTOMATIC


class CanaryStep(Model):
    """A share of the traffic, and what must happen before the next step."""

    weight: Annotated[
        int,
        Field(
            description="Percent of the traffic for the candidate. Without a router the share is "
            "that of its Pods, and never more than half.",
            ge=0,
            le=100,
        ),
    ]
    hold: Annotated[
        Duration,
        Field(description="How long the step lasts, from the moment that it is in effect."),
    ] = 0.0
    pause: Annotated[
        bool, Field(description="Wait for a ReleaseAction of action Promote after the hold.")
    ] = False
    mirror: Annotated[
        int,
        Field(
            description="Percent of requests that are also sent to the candidate, whose answers "
            "nobody sees. Needs `traffic.gateway` or `traffic.istio`.",
            ge=0,
            le=100,
        ),
    ] = 0


class Canary(Model):
    """Traffic moves in steps, and all of it goes back the moment that the candidate fails."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.steps.all(s, !has(s.hold) || duration(s.hold) >= duration('0s'))",
            "a hold is not negative",
            ".steps",
        ),
        Rule(
            "self.steps.map(s, s.weight).isSorted()",
            "the weight of a step is never less than that of the step before it",
            ".steps",
        ),
    )
    steps: Annotated[
        tuple[CanaryStep, ...],
        Field(
            description="Steps in their order; after the last one all traffic moves.",
            min_length=1,
            max_length=32,
        ),
    ]


class Strategy(Model):
    """How traffic moves from one revision to the next."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!(has(self.blueGreen) && has(self.canary))",
            "a strategy is one of blueGreen or canary",
        ),
    )
    blue_green: Annotated[
        BlueGreen | None,
        Field(description="Move all traffic at once; this is the strategy if none is written."),
    ] = None
    canary: Annotated[Canary | None, Field(description="Move traffic in steps.")] = None
