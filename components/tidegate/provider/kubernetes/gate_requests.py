"""What a gate's Job is asked for, decided when it is submitted."""

from pathlib import Path

from tidegate.cluster import names
from tidegate.gate.profile import parse_profile
from tidegate.gate.request import Baseline, GateRequest
from tidegate.jobs.runner_jobs import gate_workers
from tidegate.provider.handler import Operation
from tidegate.provider.kubernetes.access import ClusterAccess
from tidegate.provider.kubernetes.gate_runs import GateAsked
from tidegate.provider.shared.gate_decisions import subject_digests
from tidegate.provider.shared.gate_inputs import LoadTestGateInputs
from tidegate.provider.shared.release_files import declared_release
from tidegate.records.gates import GateRecords
from tidegate.spec.digests import digest_bytes
from tidegate.spec.errors import SpecError
from tidegate.spec.release import Release

LEASE_SECONDS = 30.0
GOLDEN_LIMIT_BYTES = 900 * 1024
"""A ConfigMap holds 1 MiB (Kubernetes), and the run's other documents need room as well."""


async def gate_asked(
    operation: Operation, access: ClusterAccess, inputs: LoadTestGateInputs
) -> GateAsked:
    """Raises SpecError for files that are not those declared, and ClusterError."""
    root = Path(inputs.serving_root)
    release = declared_release(root, inputs.service, inputs.release, inputs.release_digest)
    golden = golden_bytes(root, release)
    profile = parse_profile(inputs.profile, "profile")
    baseline = None
    if profile.comparison_margins:
        baseline = await _baseline(operation, access, inputs)
    request = GateRequest(
        environment=access.configuration.environment,
        service=inputs.service,
        revision=inputs.revision,
        release=inputs.release,
        targets="cluster",
        http_target=inputs.http_target,
        grpc_target=inputs.grpc_target,
        metrics_target=inputs.metrics_target,
        signature=release.model,
        golden_path="golden.npz",
        golden_sha256=release.golden.sha256,
        tolerance=release.golden.tolerance,
        profile=profile,
        baseline=baseline,
        subject_digests=subject_digests(release),
        evidence_dir=access.configuration.evidence,
        lock_path="gate.lock",
        lease_seconds=LEASE_SECONDS,
        workers=gate_workers(profile),
        retry_reason=inputs.retry,
    )
    return GateAsked(request, golden, inputs.accelerator_pool)


def golden_bytes(serving_root: Path, release: Release) -> bytes:
    """The golden set as the manifest names it. Raises SpecError."""
    path = serving_root / release.golden.path
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SpecError(
            "golden set", str(path), f"it cannot be read ({error.strerror})", "restore the file"
        ) from None
    if digest_bytes(content) != release.golden.sha256:
        raise SpecError(
            "golden set",
            str(path),
            f"it is {digest_bytes(content)}, the manifest says {release.golden.sha256}",
            "restore the file, or publish the change as a release with a new name",
        )
    if len(content) > GOLDEN_LIMIT_BYTES:
        raise SpecError(
            "golden set",
            str(path),
            f"it has {len(content)} bytes, and a gate on Kubernetes is handed at most "
            f"{GOLDEN_LIMIT_BYTES} in its ConfigMap",
            "a golden set with fewer examples",
        )
    return content


async def _baseline(
    operation: Operation, access: ClusterAccess, inputs: LoadTestGateInputs
) -> Baseline | None:
    """The revision that takes the traffic now; None when none does, or only this one."""
    cluster = access.cluster()
    recorded = await access.routes().of(inputs.service)
    live = recorded.routes.live_revision if recorded is not None else None
    if live is None or live == inputs.revision:
        return None
    judged = await GateRecords(cluster).latest(live)
    if judged is None:
        operation.warn(
            f"{inputs.revision} is not compared with {live}, which takes the traffic: no gate of "
            "it is recorded, so the version of its model is not known"
        )
        return None
    namespace = cluster.namespace
    return Baseline(
        revision=live,
        why=f"it takes the traffic of {inputs.service} while this gate runs",
        http_target=names.target(live, namespace, names.HTTP_PORT),
        grpc_target=names.target(live, namespace, names.GRPC_PORT),
        metrics_target=names.target(live, namespace, names.METRICS_PORT),
        model_version=judged.request.signature.version,
    )
