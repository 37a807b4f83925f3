"""What an API server answers when it refuses, as one sentence that names the object."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class ClusterError(Exception):
    """The API server refused or could not be asked; the message names the object and the cause."""


class UnreachableError(ClusterError):
    """No answer, or one that says to come back later."""


class BusyError(UnreachableError):
    """The API server answers, and cannot do it now."""


class UntrustedServerError(ClusterError):
    """Whoever answers is not the API server that the kubeconfig means."""


class NotFoundError(ClusterError):
    """There is no such object."""


class AlreadyExistsError(ClusterError):
    """Somebody else has made the object meanwhile."""


class ConflictError(ClusterError):
    """Somebody else has changed the object meanwhile; nothing was written."""


class MissingKindError(ClusterError):
    """The API server does not know the kind: its CustomResourceDefinition is not installed."""


class UnauthorizedError(ClusterError):
    """The API server does not accept the credentials."""


class ForbiddenError(ClusterError):
    """The credentials are accepted, and what was asked for is not allowed."""


class QuotaError(ClusterError):
    """A ResourceQuota of the namespace does not leave room."""


class WebhookError(ClusterError):
    """An admission webhook or policy refused the object."""


class SilentWebhookError(UnreachableError):
    """An admission webhook did not answer, so that the object could not be judged."""


class InvalidError(ClusterError):
    """The object breaks a rule of its kind."""


REFUSALS = (ForbiddenError, QuotaError, WebhookError, InvalidError)


def is_refusal(error: BaseException | None) -> bool:
    """Whether the API server has understood and refused: asking again does not help by itself."""
    return isinstance(error, REFUSALS)


@dataclass(frozen=True)
class Refusal:
    """An answer of 400 or more. `reason`, `message` and `causes` are those of its Status."""

    status: int
    reason: str
    message: str
    causes: Sequence[tuple[str, str]]
    is_status: bool

    @classmethod
    def of(cls, status: int, body: str) -> "Refusal":
        """Reads the body, which proxies and unknown paths do not write as a Status."""
        try:
            content = json.loads(body)
        except ValueError:
            content = None
        if not isinstance(content, Mapping) or content.get("kind") != "Status":
            return cls(status, "", " ".join(body.split())[:300], (), is_status=False)
        details: Mapping[str, Any] = content.get("details") or {}
        causes = [
            (str(each.get("field") or ""), str(each.get("message") or ""))
            for each in details.get("causes") or ()
        ]
        reason, message = str(content.get("reason") or ""), str(content.get("message") or "")
        return cls(status, reason, message, causes, is_status=True)


def refused(action: str, what: str, kind: str, server: str, refusal: Refusal) -> ClusterError:
    """The error for a refusal.

    `action` is "read", "written" or "deleted"; `what` names the object ("Job team-a/gate-1f00"),
    `kind` its kind with the API version, `server` the API server's address.
    """
    head, message = f"{what} cannot be {action}", _plain(refusal.message)
    reason, status = refusal.reason, refusal.status
    if status == 401:
        return UnauthorizedError(
            f"{head}: {server} does not accept the credentials of the kubeconfig. Log in again, or "
            "name another context"
        )
    if status == 404 and not refusal.is_status:
        return MissingKindError(
            f"{head}: {server} does not know {kind}. Install its CustomResourceDefinition "
            '(docs/kubernetes.md, "What the cluster needs")'
        )
    if "exceeded quota" in message:
        return QuotaError(f"{head}: {message}. Free some of it, or have the quota raised")
    if "failed calling webhook" in message:
        return SilentWebhookError(f"{head}: {message}. Whoever runs that webhook can say why")
    if "admission webhook" in message:
        return WebhookError(f"{head}: {message}. Whoever runs that webhook can say why")
    if "ValidatingAdmissionPolicy" in message:
        return WebhookError(f"{head}: {message}. Whoever made that policy can say why")
    if status == 403 and "because it is being terminated" in message:
        return UnreachableError(f"{head}: {message}. Wait until it is gone, and try again")
    if status == 403:
        return ForbiddenError(f"{head}: {message}. Give that account the permission")
    if status == 404 and message.startswith("namespaces "):
        return NotFoundError(f"{head}: {message}. Create the namespace")
    if status == 404:
        return NotFoundError(f"{head}: there is no such object")
    if status == 409 and reason == "AlreadyExists":
        return AlreadyExistsError(f"{head}: it exists already")
    if status == 409:
        return ConflictError(f"{head}: somebody else has changed it meanwhile")
    if status in {408, 429} or status >= 500:
        # A change of etcd's leader reaches clients as 500.
        said = f": {message}" if message else ""
        return BusyError(f"{head}: {server} {_busy(status)} (HTTP {status}){said}")
    if status in {400, 413, 422}:
        return InvalidError(f"{head}: {_causes(refusal) or message}. Mend the object's fields")
    return ClusterError(f"{head}: {server} answered HTTP {status}: {message}")


def unreachable(action: str, what: str, server: str, why: str) -> ClusterError:
    """The error for no answer at all, or from somebody else."""
    head = f"{what} cannot be {action}"
    if "CERTIFICATE_VERIFY_FAILED" in why:
        return UntrustedServerError(
            f"{head}: the certificate of {server} is not one that the kubeconfig's "
            f"certificate-authority has signed ({why}). Take a kubeconfig of this cluster, or "
            "correct its server or certificate-authority"
        )
    return UnreachableError(
        f"{head}: {server} does not answer ({why}). Check that the cluster runs and that this "
        "machine reaches it"
    )


def _busy(status: int) -> str:
    if status in {429, 502, 503, 504}:
        return "asks to come back later"
    return "could not do it this time"


def _causes(refusal: Refusal) -> str:
    return "; ".join(f"{field}: {said}" if field else said for field, said in refusal.causes)


def _plain(message: str) -> str:
    return " ".join(message.split()).rstrip(". ")
