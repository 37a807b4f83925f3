"""Names, labels and annotations of every object that belongs to tidegate."""

import hashlib

FIELD_MANAGER = "tidegate"
"""Owner, for server-side apply, of what the provider and the runners write."""

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGER = "tidegate"
SERVICE_LABEL = "tidegate.dev/service"
REVISION_LABEL = "tidegate.dev/revision"
JOB_LABEL = "tidegate.dev/job"
RUN_ANNOTATION = "tidegate.dev/run"
"""Of a Job and its pods: the ConfigMap of their run, whose name may be longer than a label."""
RECORD_LABEL = "tidegate.dev/record"
"""On a ConfigMap: gate, gate-run, switch, switch-run or drain."""

STACK_ANNOTATION = "tidegate.dev/stack"
"""On a namespace that a stack made, and on its runner's ServiceAccount: project and stack."""
ROUTES_ANNOTATION = "tidegate.dev/routes"
CANCEL_ANNOTATION = "tidegate.dev/cancel"

HTTP_PORT = 8000
GRPC_PORT = 8001
METRICS_PORT = 8002
HTTP_PORT_NAME = "http"
GRPC_PORT_NAME = "grpc"
METRICS_PORT_NAME = "metrics"

RUNNER = "tidegate-runner"
"""ServiceAccount, Role and RoleBinding of the Jobs."""
NAMESPACE_VARIABLE = "TIDEGATE_NAMESPACE"
RUN_VARIABLE = "TIDEGATE_RUN"
JOB_VARIABLE = "TIDEGATE_JOB"
"""Name of the Job, by which its runner holds leases."""
ACCELERATOR_POOL_VARIABLE = "TIDEGATE_ACCELERATOR_POOL"
GATE_LEASE_NAMESPACE_VARIABLE = "TIDEGATE_GATE_LEASE_NAMESPACE"
"""Where gates take turns on the pool; without, the run's own namespace."""
WORK_FOLDER_VARIABLE = "TIDEGATE_WORK_FOLDER"
WORK_FOLDER = "/var/run/tidegate"
"""An emptyDir: the run's files and the termination message."""
TERMINATION_MESSAGE = "termination.json"
TERMINATION_MESSAGE_BYTES = 4096
"""The kubelet cuts what is longer."""


def labels(
    service: str | None = None, revision: str | None = None, **more: str | None
) -> dict[str, str]:
    """Labels of an object; `more` are the further ones by the name of their constant's label."""
    found = {MANAGED_BY_LABEL: MANAGER, SERVICE_LABEL: service, REVISION_LABEL: revision}
    found |= {f"tidegate.dev/{name}": value for name, value in more.items()}
    return {name: value for name, value in found.items() if value is not None}


def selector(
    service: str | None = None, revision: str | None = None, **more: str | None
) -> dict[str, str]:
    """Labels that find tidegate's own objects; the same arguments as `labels`."""
    return labels(service, revision, **more)


def target(revision: str, namespace: str, port: int) -> str:
    """host:port of a revision's Service inside the cluster."""
    return f"{revision}.{namespace}.svc:{port}"


GATE = "gate."
SWITCH = "switch."
DRAIN = "drain."
"""Beginnings of the names of records."""


def gate_record(revision: str) -> str:
    return f"{GATE}{revision}"


def gate_run(revision: str, run: int) -> str:
    """Name of a run's ConfigMap and Lease."""
    return f"{gate_record(revision)}.{run:03d}"


def switch_record(service: str) -> str:
    return f"{SWITCH}{service}"


def switch_run(service: str, run: int) -> str:
    """Name of a run's ConfigMap and Lease."""
    return f"{switch_record(service)}.{run:03d}"


def drain_record(revision: str) -> str:
    """Name of the ConfigMap and Lease of a drain that no switch does."""
    return f"{DRAIN}{revision}"


def gate_job(revision: str, run: int) -> str:
    return f"gate-{_short(revision)}-{run:03d}"


def switch_job(service: str, run: int, restart: int = 0) -> str:
    """Name of the Job; `restart` counts the Jobs that were made because one had gone."""
    name = f"switch-{_short(service)}-{run:03d}"
    return f"{name}-r{restart}" if restart else name


def drain_job(revision: str) -> str:
    return f"drain-{_short(revision)}"


def accelerator_pool_lease(pool: str) -> str:
    """Name of the Lease that the one gate on a pool holds."""
    return f"accelerator-pool.{pool}"


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
