"""Which cluster a kubeconfig names."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from lightkube import KubeConfig
from lightkube.config.kubeconfig import SERVICE_ACCOUNT, SingleConfig
from lightkube.core.exceptions import ConfigError

from tidegate.spec.errors import SpecError

FILES_VARIABLE = "KUBECONFIG"
DEFAULT_FILE = "~/.kube/config"

_PARTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "clusters": ("cluster", ("certificate-authority",)),
    "contexts": ("context", ()),
    "users": ("user", ("client-certificate", "client-key", "tokenFile")),
}
"""Lists of a kubeconfig: the key of an entry's content, and what in it is a path."""


def read_kubeconfig(kubeconfig: str | None, context: str | None) -> SingleConfig:
    """The context's cluster and user; see `tidegate.cluster.client.connect`. Raises SpecError."""
    if kubeconfig is None:
        files = os.environ.get(FILES_VARIABLE) or None
        with _as_spec_error(files):
            return _chosen(_as_kubectl(files), context, files)
    is_content = "\n" in kubeconfig or kubeconfig.lstrip().startswith("{")
    shown = "its content" if is_content else kubeconfig
    with _as_spec_error(shown):
        if is_content:
            found = KubeConfig.from_dict(yaml.safe_load(kubeconfig))
        else:
            found = KubeConfig.from_file(Path(kubeconfig).expanduser())
        return _chosen(found, context, shown)


def own_service_account() -> SingleConfig:
    """The cluster of the pod that this process runs in, as its account. Raises SpecError."""
    with _as_spec_error(None):
        return _chosen(_in_cluster(), None, None)


def _as_kubectl(files: str | None) -> KubeConfig:
    """The files of $KUBECONFIG, or else the default one, or else the pod's account.

    In a pod of one cluster (of a CI system, for instance) files lead to another one: the account
    must not go before them, and not take their place when they are missing.
    """
    if files is not None:
        paths = [Path(each) for each in files.split(os.pathsep) if each]
        there = [each for each in paths if each.is_file()]
        if not there:
            raise ConfigError(f"Configuration file of ${FILES_VARIABLE} not found")
        return _merged(there)
    default = Path(DEFAULT_FILE).expanduser()
    if default.is_file():
        return _merged([default])
    try:
        return _in_cluster()
    except ConfigError:
        raise ConfigError(
            f"Configuration file {DEFAULT_FILE} not found, ${FILES_VARIABLE} names none, and this "
            "is no pod with a service account"
        ) from None


def _in_cluster() -> KubeConfig:
    try:
        return KubeConfig.from_service_account(SERVICE_ACCOUNT)
    except KeyError as error:  # the variables of the API server's Service
        raise ConfigError(f"${error.args[0]} is not set") from None


def _merged(paths: Sequence[Path]) -> KubeConfig:
    """Whatever several files name, the first one says, as for `kubectl`."""
    found: dict[str, dict[str, Any]] = {part: {} for part in _PARTS}
    current = None
    for path in paths:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        current = current or content.get("current-context")
        for part, (key, names_of_paths) in _PARTS.items():
            for each in content.get(part) or ():
                entry = dict(each[key] or {})
                for name in names_of_paths:
                    if entry.get(name):
                        entry[name] = str(path.absolute().parent / entry[name])
                found[part].setdefault(each["name"], {"name": each["name"], key: entry})
    lists = {part: list(entries.values()) for part, entries in found.items()}
    return KubeConfig.from_dict({**lists, "current-context": current or None})


def _chosen(config: KubeConfig, context: str | None, shown: str | None) -> SingleConfig:
    chosen = config.get(context)
    if chosen is None or chosen.user is None:
        raise SpecError(
            "kubeconfig", shown, "the context names no user", "a context with cluster and user"
        )
    return chosen


@contextmanager
def _as_spec_error(shown: str | None) -> Iterator[None]:
    try:
        yield
    except SpecError:
        raise
    except ConfigError as error:
        raise SpecError(
            "kubeconfig", shown, str(error), "an existing kubeconfig and one of its contexts"
        ) from None
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        # The error's own words could repeat a part of the secret.
        raise SpecError(
            "kubeconfig",
            shown,
            f"it cannot be read ({type(error).__name__})",
            "a kubeconfig that `kubectl` can use",
        ) from None
