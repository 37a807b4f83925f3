"""The files that Envoy watches, rendered from one record per revision and per service.

Each record has one owner (a slot its clusters, a switch its routes); the files are the sum.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock

from tidegate.files import read_json, write_json
from tidegate.traffic.envoy.clusters import UpstreamServer, clusters
from tidegate.traffic.envoy.route_configuration import route_configuration
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
        return [
            ServiceRoutes(**{**data, "models": tuple(data["models"])})
            for data in self._records("routes")
        ]

    def put_server(self, server: UpstreamServer) -> None:
        with self._changing():
            write_json(self._record("clusters", server.revision), asdict(server))

    def remove_server(self, revision: str) -> None:
        with self._changing():
            self._record("clusters", revision).unlink(missing_ok=True)

    def put_service(self, routes: ServiceRoutes) -> None:
        with self._changing():
            data = {**asdict(routes), "weights": dict(routes.weights)}
            write_json(self._record("routes", routes.service), data)

    def remove_service(self, service: str) -> None:
        with self._changing():
            self._record("routes", service).unlink(missing_ok=True)

    # -- files --------------------------------------------------------------------------------

    def write(self) -> None:
        """Write both files from the records; a file edited or deleted by hand is mended."""
        with self._changing():
            pass

    def routes_version(self) -> str:
        """Version of the routes as recorded."""
        return str(self._routes_response()["version_info"])

    def clusters_are_as_recorded(self) -> bool:
        return _read(self.clusters_file) == self._clusters_response()

    def routes_are_as_recorded(self) -> bool:
        return _read(self.routes_file) == self._routes_response()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self._folder / "lock", timeout=LOCK_TIMEOUT_SECONDS):
            yield
            for path, content in (
                (self.clusters_file, self._clusters_response()),
                (self.routes_file, self._routes_response()),
            ):
                if _read(path) != content:
                    write_json(path, content)

    def _clusters_response(self) -> dict[str, Any]:
        return _response([each for server in self.servers() for each in clusters(server)])

    def _routes_response(self) -> dict[str, Any]:
        return _response([route_configuration(self.services())])

    def _record(self, kind: str, name: str) -> Path:
        return self._folder / kind / f"{name}.json"

    def _records(self, kind: str) -> Iterator[dict[str, Any]]:
        for path in sorted((self._folder / kind).glob("[!.]*.json")):
            data = read_json(path)
            if data is not None:
                yield data


def _response(resources: list[dict[str, Any]]) -> dict[str, Any]:
    content = json.dumps(resources, sort_keys=True)
    version = hashlib.sha256(content.encode()).hexdigest()[:16]
    return {"version_info": version, "resources": resources}


def _read(path: Path) -> Any | None:
    try:
        return read_json(path)
    except ValueError:
        return None
