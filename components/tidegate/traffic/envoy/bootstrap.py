"""Envoy's static configuration: one listener for HTTP and gRPC, admin on loopback."""

from pathlib import Path
from typing import Any

from tidegate.traffic.envoy.user_statistics import statistics_loggers

ROUTE_CONFIGURATION = "services"
STAT_PREFIX = "gateway"
LOOPBACK = "127.0.0.1"

REQUEST_ERRORS_ARE_400 = """
local prefixes = {
  '{"error":"Unable to parse',
  '{"error":"failed to parse the request JSON buffer',
}
function envoy_on_response(handle)
  if handle:headers():get(":status") ~= "500" then return end
  local body = handle:body()
  if body == nil then return end
  local text = body:getBytes(0, body:length())
  for _, prefix in ipairs(prefixes) do
    if string.sub(text, 1, #prefix) == prefix then
      handle:headers():replace(":status", "400")
      return
    end
  end
end
"""
"""Triton answers 500 when its JSON parser refuses a request; the fault is the caller's."""


def bootstrap(port: int, admin_port: int, clusters_file: Path, routes_file: Path) -> dict[str, Any]:
    """Envoy bootstrap (v3 API) as JSON data.

    The listener is static because a changed listener resets streams; clusters (CDS) and routes
    (RDS) are files that Envoy watches, replaced by atomic rename. HTTP/1.1 and HTTP/2 in clear
    text share the port, so that one route update switches HTTP and gRPC together.
    """
    return {
        "node": {"id": "tidegate", "cluster": "tidegate"},
        # Histograms are summed up when they are flushed; a switch is judged every second.
        "stats_flush_interval": "1s",
        "admin": {"address": _address(LOOPBACK, admin_port)},
        "dynamic_resources": {
            "cds_config": {
                "path_config_source": {"path": str(clusters_file)},
                "resource_api_version": "V3",
            }
        },
        "static_resources": {"listeners": [_listener(port, routes_file)]},
        "layered_runtime": {
            "layers": [
                {
                    "name": "static",
                    "static_layer": {
                        "envoy.resource_monitors.global_downstream_max_connections": 50_000
                    },
                }
            ]
        },
    }


def _address(host: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": port}}


def _listener(port: int, routes_file: Path) -> dict[str, Any]:
    manager = {
        "@type": (
            "type.googleapis.com/envoy.extensions.filters.network."
            "http_connection_manager.v3.HttpConnectionManager"
        ),
        "stat_prefix": STAT_PREFIX,
        "codec_type": "AUTO",
        "generate_request_id": True,
        "always_set_request_id_in_response": True,
        "stream_idle_timeout": "300s",
        # Callers could otherwise ask for retries and other limits than the service's.
        "early_header_mutation_extensions": [_without_envoys_request_headers()],
        "drain_timeout": "5s",
        "rds": {
            "route_config_name": ROUTE_CONFIGURATION,
            "config_source": {
                "path_config_source": {"path": str(routes_file)},
                "resource_api_version": "V3",
            },
        },
        "http_filters": [
            {
                "name": "envoy.filters.http.lua",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
                    "default_source_code": {"inline_string": REQUEST_ERRORS_ARE_400},
                },
            },
            {
                "name": "envoy.filters.http.router",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
                },
            },
        ],
        "access_log": [_failed_requests_log(), *statistics_loggers()],
    }
    return {
        "name": "gateway",
        "address": _address(LOOPBACK, port),
        # With it a second Envoy could take the same port and get a part of the connections.
        "enable_reuse_port": False,
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": manager,
                    }
                ]
            }
        ],
    }


def _without_envoys_request_headers() -> dict[str, Any]:
    return {
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": {
            "@type": (
                "type.googleapis.com/envoy.extensions.http.early_header_mutation."
                "header_mutation.v3.HeaderMutation"
            ),
            "mutations": [{"remove_on_match": {"key_matcher": {"prefix": "x-envoy-"}}}],
        },
    }


def _failed_requests_log() -> dict[str, Any]:
    """One line per failed request on standard output, which rotates with the server's log."""
    return {
        "name": "envoy.access_loggers.stdout",
        "filter": {
            "status_code_filter": {
                "comparison": {
                    "op": "GE",
                    "value": {"default_value": 500, "runtime_key": "tidegate.log_from_status"},
                }
            }
        },
        "typed_config": {
            "@type": (
                "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog"
            ),
            "log_format": {
                "json_format": {
                    "at": "%START_TIME%",
                    "requestId": "%REQ(X-REQUEST-ID)%",
                    "path": "%REQ(:PATH)%",
                    "status": "%RESPONSE_CODE%",
                    "flags": "%RESPONSE_FLAGS%",
                    "cluster": "%UPSTREAM_CLUSTER%",
                    "durationMs": "%DURATION%",
                }
            },
        },
    }
