"""Objects as an API server gives them, as far as a diagnosis reads them."""

from typing import Any

Object = dict[str, Any]
REVISION = "digits-2-4f1c9a7e"
POD_LABELS = {"tidegate.dev/service": "digits", "tidegate.dev/revision": REVISION}


def pod(name: str = f"{REVISION}-7c9d-abcde", *, gpus: int | None = None, **status: Any) -> Object:
    """Scheduled and starting, unless `status` says otherwise."""
    resources = {"requests": {"cpu": "4", "memory": "16Gi"}}
    if gpus is not None:
        resources["requests"]["nvidia.com/gpu"] = str(gpus)
    scheduled = {"type": "PodScheduled", "status": "True"}
    ready = {"type": "Ready", "status": "False", "reason": "ContainersNotReady"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "uid": f"uid-of-{name}", "labels": POD_LABELS},
        "spec": {"containers": [{"name": "triton", "resources": resources}]},
        "status": {"phase": "Pending", "conditions": [scheduled, ready]} | status,
    }


def ready_pod(name: str = f"{REVISION}-7c9d-abcde") -> Object:
    return pod(name, phase="Running", conditions=[{"type": "Ready", "status": "True"}])


def unscheduled_pod(message: str, gpus: int | None = None) -> Object:
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": message,
    }
    return pod(gpus=gpus, conditions=[condition])


def container(state: Object, **more: Any) -> Object:
    return {
        "name": "triton",
        "image": "nvcr.io/nvidia/tritonserver:25.10-py3",
        "ready": False,
        "restartCount": 0,
        "state": state,
    } | more


def waiting(reason: str, message: str = "", **more: Any) -> Object:
    return container({"waiting": {"reason": reason, "message": message}}, **more)


def event(about: Object, reason: str, message: str, at: str = "2026-11-23T01:00:00Z") -> Object:
    meta = about["metadata"]
    return {
        "metadata": {"name": f"{meta['name']}.{reason}"},
        "involvedObject": {"kind": about["kind"], "name": meta["name"], "uid": meta.get("uid")},
        "reason": reason,
        "message": message,
        "lastTimestamp": at,
    }


def deployment(replicas: int = 2, **status: Any) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": REVISION, "generation": 1, "uid": "uid-of-the-deployment"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": POD_LABELS}},
        "status": {"observedGeneration": 1} | status,
    }


def endpoint_slice(*addresses: str, ready: bool = True) -> Object:
    endpoints = [{"addresses": [each], "conditions": {"ready": ready}} for each in addresses]
    return {"metadata": {"name": f"{REVISION}-x"}, "endpoints": endpoints}
