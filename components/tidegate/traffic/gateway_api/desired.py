"""What a service's objects on the Gateway API are made from, and how they carry it."""

import hashlib
import json
from dataclasses import dataclass, replace

from pydantic import TypeAdapter

from tidegate.spec.digests import canonical_json
from tidegate.traffic.routes import ServiceRoutes

VERSION_HEADER = "x-tidegate-routes"
"""Header of every answer: the version of the routes that led to it."""
_VERSION_DIGITS = 12
_ROUTES = TypeAdapter(ServiceRoutes)


@dataclass(frozen=True)
class DesiredRoutes:
    """A service's routes, and every revision that requests can be pinned to.

    A pinned rule keeps its revision's cluster in Envoy. A revision is pinned before it gets a
    weight and until it has been drained, because a cluster that comes or goes in the same push as
    the weights loses requests. `writing` counts how often the same was written again, because the
    controller had lost what it had to say of the last one.
    """

    routes: ServiceRoutes
    pinned: tuple[str, ...]
    writing: int = 0

    def __post_init__(self) -> None:
        pinned = {*self.pinned, *self.routes.weights, *self.routes.finishing}
        object.__setattr__(self, "pinned", tuple(sorted(pinned)))

    @property
    def annotation(self) -> str:
        """Everything, as one line of JSON; equal values give equal lines."""
        content = {"routes": _ROUTES.dump_python(self.routes, mode="json"), "pinned": self.pinned}
        again = {"writing": self.writing} if self.writing else {}
        return canonical_json(content | again).decode()

    @property
    def version(self) -> str:
        """Short digest of everything; the data plane repeats it in its answers."""
        return hashlib.sha256(self.annotation.encode()).hexdigest()[:_VERSION_DIGITS]

    @classmethod
    def parse(cls, annotation: str) -> "DesiredRoutes":
        """Raises ValueError for what `annotation` cannot have written."""
        content = json.loads(annotation)
        try:
            routes, pinned = content["routes"], content["pinned"]
        except (KeyError, TypeError) as error:
            raise ValueError("it names no routes") from error
        writing = int(content.get("writing", 0))
        return cls(_ROUTES.validate_python(routes), tuple(map(str, pinned)), writing)

    def without_retired(self) -> "DesiredRoutes":
        """Pinned is only what has a weight, 0 included, or finishes its sessions."""
        return replace(self, pinned=())

    def again(self) -> "DesiredRoutes":
        """The same under another version."""
        return replace(self, writing=self.writing + 1)
