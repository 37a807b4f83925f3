"""A service with the release that takes the traffic and the one that stands by."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pulumi

from tidegate.gate.profile import Profile
from tidegate.resources import ColdStandby, LoadTestGate, SlotRoom, TrafficHold, TrafficSwitch
from tidegate.serving.platform import Platform, Slot
from tidegate.spec.errors import SpecError
from tidegate.spec.revision import Revision
from tidegate.spec.serving_on_kubernetes import PLATFORM as KUBERNETES
from tidegate.spec.serving_on_kubernetes import Replicas
from tidegate.spec.standby import StandbyMode, check_standby
from tidegate.spec.traffic import Affinity, SwitchStrategy
from tidegate.spec.warm_up import warm_up_notes
from tidegate.traffic.gateway_api.limits import check_routes
from tidegate.traffic.plan import check_plan


@dataclass(frozen=True, kw_only=True)
class InferenceServiceArgs:
    """Arguments of an `InferenceService`.

    `live` takes the traffic once its gate has passed; swapping it with `standby` is the rollback.
    `standby_mode` says whether the standby's servers run; with `make_room` those of a standby that
    an update drops end before those of a new revision start. `profile` is the load test, the
    service's own limits applied. `switch` says how traffic moves to a revision that has not served
    users here before, `affinity` keeps sessions on a revision. `retries` is how often the gateway
    repeats a user's request that never reached a server. `drain_seconds` bounds how long requests
    in flight may take to end, and so how long streams may last (`max_stream_seconds`). `retry` is
    the reason why a release that failed its gate, or was turned back, may be tried again. On a
    cluster `hostnames` tell this service's requests from those of others at the same Gateway, and
    `replicas` is the size of every slot.

    Raises SpecError when both are the same revision or belong to another service, for a switch
    that cannot work, where the platform scales nothing to zero, and for host names and models
    that a route of a cluster cannot hold.
    """

    platform: Platform
    serving_root: Path
    live: Revision
    standby: Revision | None = None
    standby_mode: StandbyMode = "warm"
    make_room: bool = False
    profile: Profile
    switch: SwitchStrategy = field(default_factory=SwitchStrategy)
    affinity: Affinity | None = None
    retries: int = 0
    request_timeout_seconds: float = 30
    max_stream_seconds: float | None = None
    drain_seconds: float = 30
    retry: str | None = None
    hostnames: Sequence[str] = ()
    replicas: Replicas | None = None

    def __post_init__(self) -> None:
        check_plan(self.switch, self.drain_seconds, self.max_stream_seconds)
        check_standby(self.standby_mode, self.make_room, self.revisions)
        if self.live.platform == KUBERNETES:
            check_routes(self.live, self.standby, self.hostnames, self.affinity)
        if self.standby is None:
            return
        if self.standby.service != self.live.service:
            raise SpecError(
                "standby",
                self.standby.id,
                f"it belongs to the service {self.standby.service}, the release to "
                f"{self.live.service}",
                "a release of the same service",
            )
        if self.standby.id == self.live.id:
            raise SpecError(
                "standby",
                self.standby.id,
                "it is the revision that takes the traffic",
                "another release, or no standby",
            )

    @property
    def revisions(self) -> tuple[Revision, ...]:
        """Those that have a slot."""
        return (self.live, self.standby) if self.standby is not None else (self.live,)


class InferenceService(pulumi.ComponentResource):
    """Serves a model: a slot and a gate per revision, and one switch that decides between them.

    The engine's own order does the promotion: the new slot is created, its gate runs, the switch
    moves the traffic, and what is no longer declared is deleted last.
    """

    live_revision: pulumi.Output[str]
    gate_summary: pulumi.Output[str]
    evidence: pulumi.Output[str]
    report: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        args: InferenceServiceArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("tidegate:serving:InferenceService", name, None, opts)
        self._args = args
        for each in args.revisions:
            for note in warm_up_notes(each.release, args.serving_root):
                pulumi.log.warn(note, self)
        room = [self._room(name)] if args.make_room else []
        live_gate, live_hold = self._serve(args.live, "required", room)
        edges: list[pulumi.Resource] = [live_gate, live_hold]
        if args.standby is not None:
            edges += self._serve(args.standby, "keep", room)

        switch = TrafficSwitch(
            name,
            service=args.live.service,
            models=[model.name for model in args.live.release.models],
            revision=args.live.id,
            standby=args.standby.id if args.standby is not None else None,
            strategy=args.switch,
            affinity=args.affinity,
            retries=args.retries,
            max_stream_seconds=args.max_stream_seconds,
            request_timeout_seconds=args.request_timeout_seconds,
            drain_seconds=args.drain_seconds,
            retry=args.retry,
            hostnames=args.hostnames,
            opts=self._child(edges),
        )
        if args.standby is not None and args.standby_mode == "cold":
            ColdStandby(
                name,
                service=args.standby.service,
                revision=args.standby.id,
                drain_seconds=args.drain_seconds,
                opts=self._child([switch]),
            )
        self.live_revision = switch.live_revision
        self.gate_summary = live_gate.summary
        self.evidence = live_gate.evidence
        self.report = live_gate.report
        self.register_outputs(
            {
                "liveRevision": self.live_revision,
                "gateSummary": self.gate_summary,
                "evidence": self.evidence,
                "report": self.report,
            }
        )

    def _serve(
        self,
        revision: Revision,
        role: Literal["required", "keep"],
        room: Sequence[pulumi.Resource],
    ) -> tuple[LoadTestGate, TrafficHold]:
        args = self._args
        is_cold = role == "keep" and args.standby_mode == "cold"
        slot = args.platform.deploy(
            revision, args.serving_root, self, args.replicas, is_cold=is_cold, after=room
        )
        gate = self._gate(slot, role)
        # The hold depends on the gate as well: a failed gate must not free the slot for deletion.
        hold = TrafficHold(
            revision.id,
            service=revision.service,
            revision=revision.id,
            drain_seconds=args.drain_seconds,
            opts=self._child([*slot.resources, gate]),
        )
        return gate, hold

    def _room(self, name: str) -> SlotRoom:
        args = self._args
        return SlotRoom(
            name,
            service=args.live.service,
            revisions=[each.id for each in args.revisions],
            drain_seconds=args.drain_seconds,
            opts=self._child(args.platform.ready),
        )

    def _gate(self, slot: Slot, role: Literal["required", "keep"]) -> LoadTestGate:
        release = slot.revision.release
        return LoadTestGate(
            slot.revision.id,
            service=slot.revision.service,
            revision=slot.revision.id,
            release=release.release,
            role=role,
            serving_root=self._args.serving_root,
            release_digest=release.digest,
            profile=self._args.profile.model_dump(mode="json", by_alias=True),
            http_target=slot.http_target,
            grpc_target=slot.grpc_target,
            metrics_target=slot.metrics_target,
            accelerator_pool=slot.revision.accelerator_pool,
            retry=self._args.retry if role == "required" else None,
            opts=self._child(slot.resources),
        )

    def _child(self, depends_on: Sequence[pulumi.Resource]) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(
            parent=self, provider=self._args.platform.provider, depends_on=depends_on
        )
