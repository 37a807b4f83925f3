"""How containers of the platform are confined: the `restricted` Pod Security Standard and more."""

from typing import Any

USER = 1000
"""`triton-server` of NVIDIA's images, which the runner's image uses as well."""


def pod_security_context() -> dict[str, Any]:
    return {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def runner_pod_security_context() -> dict[str, Any]:
    """As above, and a fresh volume for evidence, which is root's, can be written to."""
    return {
        **pod_security_context(),
        "fsGroup": USER,
        "fsGroupChangePolicy": "OnRootMismatch",
    }


def container_security_context() -> dict[str, Any]:
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
