"""What GPUDirect needs in the cluster: networks as GKE names them, and NCCL plugins on the nodes.

Only what the vendor publishes is made here: networks after GoogleCloudPlatform/cluster-toolkit at
1047080 (modules/scheduler/gke-cluster/templates), host paths and images of the plugins after
GoogleCloudPlatform/container-engine-accelerators at 992db81 (gpudirect-tcpx, gpudirect-tcpxo,
gpudirect-rdma, nri_device_injector). Images are pinned to the releases named there; where it names
none, as for the tools of TCPXO, to one of ours.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidegate.gcp.gpu_networks import NodeNetwork
from tidegate.kubernetes.objects import Manifest, manifest
from tidegate.spec.resolved_pool import ResolvedPool

NETWORKING = "networking.gke.io"
SYSTEM_NAMESPACE = "kube-system"
ACCELERATOR_LABEL = "cloud.google.com/gke-accelerator"
PAUSE_IMAGE = (
    "gke.gcr.io/pause:3.8@sha256:880e63f94b145e46f1b1082bb71b85e21f16b99b180b9996407d61240ceb9830"
)
DEVICE_INJECTOR_IMAGE = (
    "gcr.io/gke-release/nri-device-injector"
    "@sha256:6e79483d52abdc28454bf186320b10a56b0f117a10e8d65d5c74dbb821a76970"
)
ENTRY_SCRIPT = "/scripts/container_entry.sh"
_REGISTRY = "us-docker.pkg.dev/gce-ai-infra"


@dataclass(frozen=True)
class NcclPlugin:
    """An image that copies its libraries onto the node: from `source` inside it to `target`.

    `mounts` are folders of the node by the place where the image has them. `prepares` is a script
    that has to run on the node itself before. `entry_mode` is what the vendor's manifest gives the
    entry script before it runs it.
    """

    image: str
    mounts: Mapping[str, str]
    arguments: str
    copies: tuple[tuple[str, str], ...]
    prepares: str | None = None
    entry_mode: str | None = None


_HOST_GIB = {
    "/usr/local/home/kubernetes/bin/nvidia/lib64": "/home/kubernetes/bin/nvidia/lib64",
    "/usr/local/home/kubernetes/bin/gib": "/home/kubernetes/bin/gib",
}
_GIB_COPIES = (
    ("/var/lib/gib/lib64", "/usr/local/home/kubernetes/bin/nvidia/lib64"),
    ("/var/lib/gib", "/usr/local/home/kubernetes/bin/gib"),
)
_HOST_TCP = {"/var/lib": "/var/lib", "/usr/local": "/home/kubernetes/bin"}

HOST_TOOLS_IMAGE = "ubuntu:24.04"
"""Enters the node's namespaces with nsenter; the scripts use the node's own programs."""

_TCPXO_DEVICES = """
iptables -C INPUT -p tcp -j ACCEPT 2>/dev/null || iptables -I INPUT -p tcp -j ACCEPT
modprobe import-helper
lspci -nn -D | grep 1ae0:0084 | cut -d' ' -f1 | while read -r address; do
  shown=/dev/aperture_devices/$address
  mkdir -p "$shown"
  umount -R "$shown" 2>/dev/null || true
  mount --bind "$(readlink -f "/sys/bus/pci/devices/$address")" "$shown"
  chmod -R a+r "$shown"
  chmod a+rw "$shown"/resource*
done
"""
"""Lets every TCP packet in, and shows the interfaces' memory under a path that pods can mount."""

NCCL_PLUGINS = {
    "gib": NcclPlugin(
        f"{_REGISTRY}/gpudirect-gib/nccl-plugin-gib:v1.1.1", _HOST_GIB, "install", _GIB_COPIES
    ),
    "gib-arm64": NcclPlugin(
        f"{_REGISTRY}/gpudirect-gib/nccl-plugin-gib-arm64:v1.1.0",
        _HOST_GIB,
        "install",
        _GIB_COPIES,
    ),
    "tcpx": NcclPlugin(
        f"{_REGISTRY}/gpudirect-tcpx/nccl-plugin-gpudirecttcpx-dev:v3.1.9",
        _HOST_TCP,
        "install --install-nccl",
        (("/var/lib/tcpx/lib64", "/usr/local/nvidia/lib64"),),
    ),
    "tcpxo": NcclPlugin(
        f"{_REGISTRY}/gpudirect-tcpxo/nccl-plugin-gpudirecttcpx-dev:v1.0.15",
        _HOST_TCP,
        "install --install-nccl",
        (("/var/lib/tcpxo/lib64", "/usr/local/nvidia/lib64"),),
        _TCPXO_DEVICES,
        entry_mode="755",
    ),
}

INJECTED = ("tcpx", "tcpxo")
"""Plugins whose pods get the GPUs' devices from an injector in the container runtime."""


def network_objects(network: NodeNetwork, labels: Mapping[str, str]) -> list[Manifest]:
    """A network of the nodes under a name that pods ask for."""
    parameters = manifest(
        f"{NETWORKING}/v1",
        "GKENetworkParamSet",
        network.name,
        None,
        labels,
        spec={
            "vpc": network.network,
            "vpcSubnet": network.subnetwork,
            "deviceMode": network.device_mode,
        },
    )
    named = manifest(
        f"{NETWORKING}/v1",
        "Network",
        network.name,
        None,
        labels,
        spec={
            "type": "Device",
            "parametersRef": {
                "group": NETWORKING,
                "kind": "GKENetworkParamSet",
                "name": network.name,
            },
        },
    )
    return [parameters, named]


def installers(pools: Iterable[ResolvedPool], labels: Mapping[str, str]) -> list[Manifest]:
    """One for each plugin that the pools' machine types need, and the injector of devices."""
    accelerators: dict[str, set[str]] = {}
    for resolved in pools:
        direct, accelerator = resolved.machine.gpu_direct, resolved.machine.accelerator_type
        if resolved.pool.fabric.kind == "gpuDirect" and direct and accelerator:
            accelerators.setdefault(direct.plugin, set()).add(accelerator)
    made = [
        _installer(plugin, NCCL_PLUGINS[plugin], sorted(names), labels)
        for plugin, names in sorted(accelerators.items())
    ]
    injected = {name for plugin in INJECTED for name in accelerators.get(plugin, ())}
    return [*made, _device_injector(sorted(injected), labels)] if injected else made


def _installer(
    name: str, plugin: NcclPlugin, accelerators: Sequence[str], labels: Mapping[str, str]
) -> Manifest:
    steps = [f"chmod {plugin.entry_mode} {ENTRY_SCRIPT}"] if plugin.entry_mode else []
    steps.append(f"{ENTRY_SCRIPT} {plugin.arguments}")
    for source, target in plugin.copies:
        steps += [f"mkdir -p {target}", f"cp -r {source}/. {target}"]
    volumes = {f"host-{index}": path for index, path in enumerate(plugin.mounts.values())}
    container: dict[str, Any] = {
        "name": "install",
        "image": plugin.image,
        "command": ["/bin/sh", "-ec", "\n".join(steps)],
        "resources": {"requests": {"cpu": "150m"}},
        "securityContext": {"privileged": True},
        "volumeMounts": [
            {"name": volume, "mountPath": inside}
            for volume, inside in zip(volumes, plugin.mounts, strict=True)
        ],
    }
    before = [container]
    if plugin.prepares is not None:
        on_the_node = ["nsenter", "-a", "-t", "1", "--", "sh", "-ec", plugin.prepares]
        prepare: dict[str, Any] = {
            "name": "prepare",
            "image": HOST_TOOLS_IMAGE,
            "command": on_the_node,
            "securityContext": {"privileged": True},
        }
        before = [prepare, container]
    pause = {"name": "pause", "image": PAUSE_IMAGE}
    return _on_every_node(f"nccl-{name}-installer", accelerators, labels, volumes, [pause], before)


def _device_injector(accelerators: Sequence[str], labels: Mapping[str, str]) -> Manifest:
    folders = {"dev": "/dev", "nri": "/var/run/nri"}
    container = {
        "name": "device-injector",
        "image": DEVICE_INJECTOR_IMAGE,
        "resources": {"requests": {"cpu": "150m"}},
        "securityContext": {"privileged": True},
        "volumeMounts": [{"name": name, "mountPath": path} for name, path in folders.items()],
    }
    return _on_every_node("device-injector", accelerators, labels, folders, [container], [])


def _on_every_node(
    name: str,
    accelerators: Sequence[str],
    labels: Mapping[str, str],
    folders: Mapping[str, str],
    containers: list[dict[str, Any]],
    before: list[dict[str, Any]],
) -> Manifest:
    """A DaemonSet of the nodes with these accelerators; `folders` of the node by volume."""
    chosen = {"key": ACCELERATOR_LABEL, "operator": "In", "values": list(accelerators)}
    pod = {
        "priorityClassName": "system-node-critical",
        "hostNetwork": True,
        "hostPID": True,
        "tolerations": [{"operator": "Exists"}],
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{"matchExpressions": [chosen]}]
                }
            }
        },
        "volumes": [
            {"name": volume, "hostPath": {"path": path, "type": "DirectoryOrCreate"}}
            for volume, path in folders.items()
        ],
        "containers": containers,
    }
    if before:
        pod["initContainers"] = before
    selected = {"app.kubernetes.io/name": name}
    return manifest(
        "apps/v1",
        "DaemonSet",
        name,
        SYSTEM_NAMESPACE,
        {**labels, **selected},
        # The nodes come and go with the work, and none of them may be needed for an update.
        annotations={"pulumi.com/skipAwait": "true"},
        spec={
            "selector": {"matchLabels": selected},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
            "template": {"metadata": {"labels": selected}, "spec": pod},
        },
    )
