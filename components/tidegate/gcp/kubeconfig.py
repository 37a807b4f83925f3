"""How `kubectl` and Pulumi reach a GKE cluster."""

import json
from collections.abc import Sequence

CREDENTIALS_PLUGIN = "gke-gcloud-auth-plugin"


def kubeconfig(cluster: str, endpoint: str, certificate: str) -> str:
    """JSON, which is YAML; users and machines bring their own credentials."""
    named: Sequence[tuple[str, str, dict[str, object]]] = (
        (
            "clusters",
            "cluster",
            {"server": f"https://{endpoint}", "certificate-authority-data": certificate},
        ),
        ("contexts", "context", {"cluster": cluster, "user": cluster}),
        (
            "users",
            "user",
            {
                "exec": {
                    "apiVersion": "client.authentication.k8s.io/v1beta1",
                    "command": CREDENTIALS_PLUGIN,
                    "installHint": f"gcloud components install {CREDENTIALS_PLUGIN}",
                    "provideClusterInfo": True,
                }
            },
        ),
    )
    lists = {plural: [{"name": cluster, one: content}] for plural, one, content in named}
    return json.dumps(
        {"apiVersion": "v1", "kind": "Config", "current-context": cluster, **lists},
        sort_keys=True,
    )
