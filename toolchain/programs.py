"""The programs that are built from Go modules, one row each.

A program's folder `toolchain/go/<name>` holds its go.mod and go.sum: they pin the version and
every dependency. Programs do not share a go.mod, because mixing them mixes dependencies.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath


class Group(StrEnum):
    """Who needs a program: setting up one group leaves the others alone."""

    EMBEDDED = "embedded"
    CLUSTER_TESTS = "cluster-tests"


@dataclass(frozen=True)
class ModuleFile:
    """Files of a Go module that are installed with a program.

    `path` may be a glob pattern. What goes to the folder `bin` becomes executable.
    """

    module: str
    path: str
    folder: str = "bin"


@dataclass(frozen=True)
class GoProgram:
    """One row: what to build and what to install with it.

    `module` is the one whose version is the program's, unless `release` names the release that a
    pseudo-version stands for. `packages` are built together; "." is a main package of our own in
    the program's folder, and without packages the `files` are installed alone. `embeds` are copied
    beside the sources before the build. `ldflags` may contain `{version}`, `{major}` and `{minor}`.
    `executable` is the file name of the one package where Go's would say nothing, as in `cmd`.
    `usual_minutes` is a build on two cores with empty caches, downloads included.
    """

    name: str
    module: str
    packages: tuple[str, ...]
    group: Group
    usual_minutes: float
    ldflags: tuple[str, ...] = ("-s", "-w")
    files: tuple[ModuleFile, ...] = ()
    embeds: tuple[ModuleFile, ...] = ()
    release: str | None = None
    executable: str | None = None

    @property
    def executables(self) -> tuple[str, ...]:
        """The file names of the built programs: those that Go gives them, or `executable`."""
        if self.executable is not None:
            return (self.executable,)
        return tuple(self._executable(package) for package in self.packages)

    def _executable(self, package: str) -> str:
        if package == ".":
            return self.name
        path = PurePosixPath(package)
        return path.parent.name if re.fullmatch(r"v\d+", path.name) else path.name


PULUMI = GoProgram(
    name="pulumi",
    module="github.com/pulumi/pulumi/pkg/v3",
    packages=("github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",),
    group=Group.EMBEDDED,
    usual_minutes=3.5,
    ldflags=(
        "-s",
        "-w",
        "-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{version}",
    ),
)

PULUMI_LANGUAGE_PYTHON = GoProgram(
    name="pulumi-language-python",
    module="github.com/pulumi/pulumi/sdk/python/cmd/pulumi-language-python/v3",
    packages=("github.com/pulumi/pulumi/sdk/python/cmd/pulumi-language-python/v3",),
    group=Group.EMBEDDED,
    usual_minutes=0.5,
    # The host starts programs through this script and looks for it beside itself.
    files=(
        ModuleFile("github.com/pulumi/pulumi/sdk/v3", "python/cmd/pulumi-language-python-exec"),
    ),
)

ETCD = GoProgram(
    name="etcd",
    module="go.etcd.io/etcd/server/v3",
    packages=(".",),
    group=Group.CLUSTER_TESTS,
    usual_minutes=1,
)

_KUBERNETES_VERSION = "k8s.io/component-base/version"

KUBERNETES = GoProgram(
    name="kubernetes",
    module="k8s.io/kubernetes",
    packages=(
        "k8s.io/kubernetes/cmd/kube-apiserver",
        "k8s.io/kubernetes/cmd/kube-controller-manager",
        "k8s.io/kubernetes/cmd/kube-scheduler",
    ),
    group=Group.CLUSTER_TESTS,
    usual_minutes=6,
    ldflags=(
        "-s",
        "-w",
        f"-X {_KUBERNETES_VERSION}.gitVersion=v{{version}}",
        f"-X {_KUBERNETES_VERSION}.gitMajor={{major}}",
        f"-X {_KUBERNETES_VERSION}.gitMinor={{minor}}",
    ),
)

_KWOK = "sigs.k8s.io/kwok"

KWOK = GoProgram(
    name="kwok",
    module=_KWOK,
    packages=("sigs.k8s.io/kwok/cmd/kwok",),
    group=Group.CLUSTER_TESTS,
    usual_minutes=2,
    # kwok does nothing without stages; each file holds one.
    files=(
        ModuleFile(_KWOK, "kustomize/stage/pod/fast/pod-*.yaml", "kwok-stages"),
        ModuleFile(_KWOK, "kustomize/stage/node/fast/node-*.yaml", "kwok-stages"),
        ModuleFile(_KWOK, "kustomize/stage/node/heartbeat-with-lease/node-*.yaml", "kwok-stages"),
    ),
)

_PULUMI_KUBERNETES = "github.com/pulumi/pulumi-kubernetes/provider/v4"
_PULUMI_KUBERNETES_MAIN = "cmd/pulumi-resource-kubernetes"

PULUMI_RESOURCE_KUBERNETES = GoProgram(
    name="pulumi-resource-kubernetes",
    module=_PULUMI_KUBERNETES,
    packages=(".",),
    group=Group.CLUSTER_TESTS,
    usual_minutes=8,
    ldflags=("-s", "-w", "-X main.version={version}"),
    embeds=(
        ModuleFile(_PULUMI_KUBERNETES, f"{_PULUMI_KUBERNETES_MAIN}/schema.json", "."),
        ModuleFile(_PULUMI_KUBERNETES, f"{_PULUMI_KUBERNETES_MAIN}/terraform-mapping.json", "."),
    ),
    release="4.25.0",
)

_LEADERWORKERSET = "sigs.k8s.io/lws"

LEADERWORKERSET = GoProgram(
    name="leaderworkerset",
    module=_LEADERWORKERSET,
    packages=("sigs.k8s.io/lws/cmd",),
    group=Group.CLUSTER_TESTS,
    usual_minutes=2,
    executable="leaderworkerset-manager",
    files=(
        ModuleFile(_LEADERWORKERSET, "config/crd/bases/*.yaml", "leaderworkerset-crds"),
        ModuleFile(_LEADERWORKERSET, "config/webhook/manifests.yaml", "leaderworkerset-webhooks"),
    ),
)

_ENVOY_GATEWAY = "github.com/envoyproxy/gateway"
_ENVOY_GATEWAY_CRDS = "charts/gateway-helm/charts/crds/crds"

ENVOY_GATEWAY = GoProgram(
    name="envoy-gateway",
    module=_ENVOY_GATEWAY,
    packages=("github.com/envoyproxy/gateway/cmd/envoy-gateway",),
    group=Group.CLUSTER_TESTS,
    usual_minutes=6,
    # The resource definitions of the Gateway API that this release serves, and its own.
    files=(
        ModuleFile(_ENVOY_GATEWAY, f"{_ENVOY_GATEWAY_CRDS}/gatewayapi-crds.yaml", "gateway-crds"),
        ModuleFile(_ENVOY_GATEWAY, f"{_ENVOY_GATEWAY_CRDS}/generated/*.yaml", "gateway-crds"),
    ),
)

# In the order they are built.
PROGRAMS = (
    PULUMI,
    PULUMI_LANGUAGE_PYTHON,
    ETCD,
    KUBERNETES,
    KWOK,
    PULUMI_RESOURCE_KUBERNETES,
    LEADERWORKERSET,
    ENVOY_GATEWAY,
)
