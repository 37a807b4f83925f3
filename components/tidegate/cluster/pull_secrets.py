"""Secrets with which the kubelet pulls a pod's images."""

from collections.abc import Sequence
from typing import Any


def pull_secrets(names: Sequence[str]) -> dict[str, Any]:
    """Part of a pod's spec. Without names nothing, and those of its ServiceAccount are used."""
    return {"imagePullSecrets": [{"name": each} for each in names]} if names else {}
