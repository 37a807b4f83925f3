"""Moves a service's traffic at once, past the engine: `tidegate rollback --now`.

No lock of the stack is asked for: the routes themselves are compared and set. What else moves
traffic finds them changed, or finds the override, and leaves them alone.
"""

import time
from dataclasses import dataclass
from http import HTTPStatus

from tidegate import loopback
from tidegate.gate.clock import utc_now
from tidegate.local.stack import LocalStack
from tidegate.local.waiting import Sleep
from tidegate.loopback import NoAnswerError
from tidegate.traffic.router import RouterError, RoutesChangedError
from tidegate.traffic.routes import REVISION_HEADER
from tidegate.traffic.switch_documents import Override
from tidegate.traffic.takeover import (
    Takeover,
    TakeoverError,
    TakeoverUnprovenError,
    always_changed,
    check_evidence,
    full_weight_to,
    takeover_note,
)

ATTEMPTS = 20
"""How often the routes may change under our hands: a canary's conductor sets them rarely."""
RETRY_SECONDS = 0.05
PROOF_ANSWERS = 20
"""Answers in a row, each on a connection of its own, so that every worker of Envoy has answered."""
PROOF_SECONDS = 10.0
PROOF_POLL_SECONDS = 0.01
ANSWER_SECONDS = 2.0


@dataclass(frozen=True)
class Proof:
    """`answers` in a row came from the revision; the first of them after `seconds`."""

    answers: int
    seconds: float


async def take_over(
    stack: LocalStack, service: str, revision: str, by: str, sleep: Sleep
) -> Takeover:
    """Send all of the service's traffic to a revision that has passed its gate and is healthy.

    What took traffic before ends what it had begun. Raises TakeoverError; nothing is changed then.
    """
    turned_back = stack.switches.standing_turn_back(service, revision, retry=None)
    check_evidence(service, revision, stack.gates.passing(revision) is not None, turned_back)
    slot = stack.slots.record(revision)
    release = f"{service}@{slot.release}" if slot is not None else None
    folder = stack.switches.folder(service)
    overridden = folder.override()
    try:
        router = stack.router()
        if not await router.is_healthy(revision):
            raise TakeoverError(
                f"{revision} takes no traffic: the gateway's health checks find it unhealthy, and "
                f"users would be worse off. Its log: {stack.folder.log(revision)}"
            )
        # Before the move: a switch of the engine that comes in between must see it and stop.
        folder.write_override(Override(service=service, revision=revision, at=utc_now(), by=by))
        try:
            taken = await _replace_routes(stack, service, revision, sleep)
        except BaseException:
            if overridden is None:
                folder.clear_override()
            else:
                folder.write_override(overridden)
            raise
    except RouterError as error:
        raise TakeoverError(f"the traffic was not moved: {error}") from error
    folder.note(
        "rollback",
        takeover_note(by, revision),
        user=by,
        revision=revision,
        release=release,
        weightsBefore=dict(taken.before),
        weights=dict(taken.after),
        seconds=round(taken.seconds, 3),
    )
    return taken


async def prove(stack: LocalStack, service: str, revision: str, sleep: Sleep) -> Proof:
    """Ask the gateway as users do until only the revision answers.

    Raises TakeoverUnprovenError with what answered instead.
    """
    record, routes = stack.gateway.record(), stack.recorded_routes(service)
    if record is None or routes is None:
        raise TakeoverUnprovenError(f"the gateway has no routes for {service}")
    # A model's readiness takes the way of its predictions, by the weights, and costs nothing.
    path = f"/v2/models/{routes.models[0]}/ready"
    began = time.monotonic()
    in_a_row, first_at, last = 0, began, "nothing was asked"
    while time.monotonic() - began < PROOF_SECONDS:
        try:
            answer = await loopback.get(record.address, path, ANSWER_SECONDS)
            answered = answer.headers.get(REVISION_HEADER, "an answer that names no revision")
            last = f"{answered} with status {answer.status}"
            good = answered == revision and answer.status == HTTPStatus.OK
        except NoAnswerError as error:
            last, good = str(error), False
        if not good:
            in_a_row = 0
            await sleep(PROOF_POLL_SECONDS)
            continue
        if in_a_row == 0:
            first_at = time.monotonic()
        in_a_row += 1
        if in_a_row == PROOF_ANSWERS:
            return Proof(in_a_row, first_at - began)
    raise TakeoverUnprovenError(
        f"after {PROOF_SECONDS:g} s the gateway's last answer was {last}, not {revision}'s"
    )


async def _replace_routes(stack: LocalStack, service: str, revision: str, sleep: Sleep) -> Takeover:
    """Compare and set until the routes that were read are the routes that were replaced."""
    router = stack.router()
    for _ in range(ATTEMPTS):
        before = stack.recorded_routes(service)
        if before is None:
            raise TakeoverError(f"{service} has no routes in this stack; run `pulumi up`")
        after = full_weight_to(before, revision)
        began = time.monotonic()
        try:
            await router.apply(after, replacing=before)
        except RoutesChangedError:
            await sleep(RETRY_SECONDS)
            continue
        seconds = time.monotonic() - began
        return Takeover(service, revision, before.weights, after.weights, seconds)
    raise always_changed(service, ATTEMPTS)
