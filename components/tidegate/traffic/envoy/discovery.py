"""The files that Envoy watches, rendered from one record per revision and per service.

Each record has one owner (a slot its clusters, a switch its routes); the files are the sum.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from filelock import FileLock

from tidegate.files import read_json, write_json
from tidegate.spec.traffic import Affinity
from tidegate.traffic.envoy.clusters import UpstreamServer, clusters
from tidegate.traffic.envoy.route_configuration import route_configuration
from tidegate.traffic.router import RoutesChangedError
from tidegate.traffic.routes import ServiceRoutes

LOCK_TIMEOUT_SECONDS = 30


class DiscoveryFiles:
    """Cluster and route files of one gateway in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.clusters_file = folder / "clusters.json"
        self.routes_file = folder / "routes.json"

    # -- records ------------------------------------------------------------------------------

    def servers(self) -> list[UpstreamServer]:
        return [UpstreamServer(**data) for data in self._records("clusters")]

    def services(self) -> list[ServiceRoutes]:
        return [_routes(data) for data in self._records("routes")]

    def routes_of(self, service: str) -> ServiceRoutes | None:
        """The service's routes as recorded, None when there are none."""
        data = read_json(self._record("routes", service))
        return None if data is None else _routes(data)

    def put_server(self, server: UpstreamServer) -> None:
        with self._changing():
            write_json(self._record("clusters", server.revision), asdict(server))

    def remove_server(self, revision: str) -> None:
        with self._changing(routes_first=True):
            self._record("clusters", revision).unlink(missing_ok=True)

    def put_service(
        self, routes: ServiceRoutes, replacing: ServiceRoutes | None = None
    ) -> ServiceRoutes | None:
        """Record the routes and return what was recorded before.

        With `replacing`, only when that is what is recorded; raises RoutesChangedError otherwise.
        """
        with self._changing():
            before = self._expect(routes.service, replacing)
            write_json(self._record("routes", routes.service), _record(routes))
        return before

    def remove_service(self, service: str, replacing: ServiceRoutes | None = None) -> None:
        """As `put_service`, with no routes afterwards."""
        with self._changing():
            self._expect(service, replacing)
            self._record("routes", service).unlink(missing_ok=True)

    # -- files --------------------------------------------------------------------------------

    def write(self) -> None:
        """Write both files from the records; a file edited or deleted by hand is mended."""
        with self._changing():
            pass

    def write_routes_again(self) -> None:
        """Replace the routes' file by an equal one: Envoy reads it once more."""
        with self._changing():
            write_json(self.routes_file, self._routes_response())

    def routes_version(self) -> str:
        """Version of the routes as recorded."""
        return str(self._routes_response()["version_info"])

    def clusters_are_as_recorded(self) -> bool:
        return _read(self.clusters_file) == self._clusters_response()

    def routes_are_as_recorded(self) -> bool:
        return _read(self.routes_file) == self._routes_response()

    def _expect(self, service: str, replacing: ServiceRoutes | None) -> ServiceRoutes | None:
        """The recorded routes. To be called under the lock."""
        found = self.routes_of(service)
        if replacing is not None and found != replacing:
            raise RoutesChangedError(
                f"the routes of {service} were changed meanwhile: expected "
                f"{_in_words(replacing)}, found {_in_words(found)}"
            )
        return found

    @contextmanager
    def _changing(self, *, routes_first: bool = False) -> Iterator[None]:
        """Change records under the lock, then write what differs.

        Envoy refuses routes to clusters that it does not know: a cluster comes before the routes
        to it, and goes after them, `routes_first`.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self._folder / "lock", timeout=LOCK_TIMEOUT_SECONDS):
            yield
            files = [
                (self.clusters_file, self._clusters_response()),
                (self.routes_file, self._routes_response()),
            ]
            for path, content in reversed(files) if routes_first else files:
                if _read(path) != content:
                    write_json(path, content)

    def _clusters_response(self) -> dict[str, Any]:
        return _response([each for server in self.servers() for each in clusters(server)])

    def _routes_response(self) -> dict[str, Any]:
        return _response([route_configuration(self.services(), self.servers())])

    def _record(self, kind: str, name: str) -> Path:
        return self._folder / kind / f"{name}.json"

    def _records(self, kind: str) -> Iterator[dict[str, Any]]:
        for path in sorted((self._folder / kind).glob("[!.]*.json")):
            data = read_json(path)
            if data is not None:
                yield data


def _record(routes: ServiceRoutes) -> dict[str, Any]:
    """JSON data of the routes; `_routes` is its inverse."""
    affinity = routes.affinity
    return {
        **{each.name: getattr(routes, each.name) for each in fields(routes)},
        "weights": dict(routes.weights),
        "affinity": None if affinity is None else affinity.model_dump(mode="json"),
    }


def _routes(data: Mapping[str, Any]) -> ServiceRoutes:
    affinity = data.get("affinity")
    return ServiceRoutes(
        **{
            **data,
            "models": tuple(data["models"]),
            "finishing": tuple(data.get("finishing", ())),
            "hostnames": tuple(data.get("hostnames", ())),
            "affinity": None if affinity is None else Affinity.model_validate(affinity),
        }
    )


def _in_words(routes: ServiceRoutes | None) -> str:
    if routes is None:
        return "none"
    return ", ".join(f"{name} {weight}%" for name, weight in sorted(routes.weights.items()))


def _response(resources: list[dict[str, Any]]) -> dict[str, Any]:
    content = json.dumps(resources, sort_keys=True)
    version = hashlib.sha256(content.encode()).hexdigest()[:16]
    return {"version_info": version, "resources": resources}


def _read(path: Path) -> Any | None:
    try:
        return read_json(path)
    except ValueError:
        return None
