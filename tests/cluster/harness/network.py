"""A test cluster's network: namespaces of its own, reachable from the host and from nowhere else.

The control plane runs in one namespace at 10.77.N.2, linked to the host at 10.77.N.1. Every pod
has a namespace with one address of 10.77.N.64 to 10.77.N.254, routed by the control plane's, so
that pods may listen on all their addresses as they do in a real cluster. There is no way out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.harness import leftovers
from tests.cluster.harness.leftovers import NAMESPACES, NetworkName

INDEXES = range(1, 255)
POD_HOSTS = range(64, 255)
POD_RANGES = ("64/26", "128/25")


class NetworkError(Exception):
    """The machine does not allow a test cluster, or has no free place for one."""


@dataclass(frozen=True)
class PodNetwork:
    """Network of one pod: `address` is the pod's, `namespace` its network namespace."""

    address: str
    namespace: str
    link: str

    def prefix(self) -> list[str]:
        """What makes a command run in the pod's network."""
        return entering(self.namespace)


def entering(namespace: str) -> list[str]:
    return ["nsenter", f"--net={NAMESPACES / namespace}", "--"]


class ClusterNetwork:
    """The network of one test cluster; `close` removes it with everything that runs in it.

    It is removed as well when this process ends without `close`.
    """

    def __init__(self) -> None:
        _check_machine()
        leftovers.remove_ownerless()
        self._name = _take_index()
        self._guard = subprocess.Popen(
            [sys.executable, leftovers.__file__, str(self._name.index), str(self._name.owner)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        self._free_hosts = deque(POD_HOSTS)
        self._lock = threading.Lock()
        self._build()

    @property
    def host_address(self) -> str:
        """Where processes of the cluster reach what listens on the host."""
        return f"{self._subnet}.1"

    @property
    def cluster_address(self) -> str:
        return f"{self._subnet}.2"

    @property
    def namespace(self) -> str:
        return self._name.namespace

    def prefix(self) -> list[str]:
        """What makes a command run beside the control plane."""
        return entering(self.namespace)

    def add_pod(self) -> PodNetwork:
        """A namespace for one pod with an address that was not used for the longest time.

        Raises NetworkError when all addresses are taken.
        """
        with self._lock:
            if not self._free_hosts:
                raise NetworkError(f"all {len(POD_HOSTS)} pod addresses of {self._subnet} are used")
            host = self._free_hosts.popleft()
        pod = PodNetwork(f"{self._subnet}.{host}", f"{self.namespace}-{host}", f"pod{host}")
        _ip(
            f"netns add {pod.namespace}",
            f"link add {pod.link} netns {self.namespace} type veth "
            f"peer name eth0 netns {pod.namespace}",
        )
        _ip(
            f"link set {pod.link} up",
            f"route add {pod.address}/32 dev {pod.link} src {self.cluster_address}",
            namespace=self.namespace,
        )
        _ip(
            "link set lo up",
            "link set eth0 up",
            f"address add {pod.address} peer {self.cluster_address} dev eth0",
            f"route add default via {self.cluster_address}",
            namespace=pod.namespace,
        )
        return pod

    def remove_pod(self, pod: PodNetwork) -> None:
        """Remove the pod's namespace with everything that runs in it."""
        leftovers.end_processes([NAMESPACES / pod.namespace])
        _ip(f"link delete {pod.link}", namespace=self.namespace)
        _ip(f"netns delete {pod.namespace}")
        with self._lock:
            self._free_hosts.append(int(pod.address.rpartition(".")[2]))

    def remains(self) -> list[str]:
        """One line for each namespace, process and link that exists."""
        namespaces = self._name.namespaces()
        found = [f"namespace {each.name}" for each in namespaces]
        found += [f"process {pid}" for pid in leftovers.processes_in(namespaces)]
        if Path("/sys/class/net", self._name.link).exists():
            found.append(f"link {self._name.link}")
        return found

    def close(self) -> None:
        """Remove everything. Raises NetworkError when something remains."""
        if self._guard.stdin is not None:
            self._guard.stdin.close()
        self._guard.wait()
        if remains := self.remains():
            raise NetworkError(f"the test cluster's network left {', '.join(remains)}")

    @property
    def _subnet(self) -> str:
        return f"10.77.{self._name.index}"

    def _build(self) -> None:
        _ip(
            f"address add {self.host_address}/30 dev {self._name.link}",
            f"link set {self._name.link} up",
            *(f"route add {self._subnet}.{pods} via {self.cluster_address}" for pods in POD_RANGES),
        )
        _ip(
            "link set lo up",
            f"address add {self.cluster_address}/30 dev eth0",
            "link set eth0 up",
            namespace=self.namespace,
        )
        forwarding = "/proc/sys/net/ipv4/ip_forward"
        subprocess.run([*self.prefix(), "sh", "-c", f"echo 1 > {forwarding}"], check=True)


def _check_machine() -> None:
    if os.geteuid() != 0:
        raise NetworkError(
            "the cluster tests make network namespaces and mounts of their own and need root; "
            "run them as root or leave them out with -m 'not cluster'"
        )
    missing = [each for each in ("ip", "nsenter", "unshare", "chroot") if not shutil.which(each)]
    if missing:
        raise NetworkError(
            f"{', '.join(missing)} not found; the cluster tests need iproute2 and util-linux"
        )


def _take_index() -> NetworkName:
    """Make the first free link with its namespace."""
    for index in INDEXES:
        name = NetworkName(index, os.getpid())
        if Path("/sys/class/net", name.link).exists():
            continue
        _ip(f"netns add {name.namespace}")
        try:
            # Fails when another test process was faster: links have unique names.
            _ip(f"link add {name.link} type veth peer name eth0 netns {name.namespace}")
        except NetworkError:
            _ip(f"netns delete {name.namespace}")
            if not Path("/sys/class/net", name.link).exists():
                raise
            continue
        return name
    raise NetworkError("all 254 networks for test clusters are in use")


def _ip(*lines: str, namespace: str | None = None) -> None:
    command = ["ip", *(["-netns", namespace] if namespace else []), "-batch", "-"]
    done = subprocess.run(
        command, input="\n".join(lines), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise NetworkError(f"`ip` refused one of {list(lines)}: {done.stderr.strip()}")
