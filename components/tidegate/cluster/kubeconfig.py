"""Which cluster a kubeconfig names."""

from pathlib import Path

import yaml
from lightkube import KubeConfig
from lightkube.config.kubeconfig import SingleConfig
from lightkube.core.exceptions import ConfigError

from tidegate.spec.errors import SpecError


def read_kubeconfig(kubeconfig: str | None, context: str | None) -> SingleConfig:
    """The context's cluster and user; see `tidegate.cluster.client.connect`. Raises SpecError."""
    shown = "its content" if kubeconfig is not None and "\n" in kubeconfig else kubeconfig
    try:
        if kubeconfig is None:
            found = KubeConfig.from_env()
        elif "\n" in kubeconfig or kubeconfig.lstrip().startswith("{"):
            shown = "its content"
            found = KubeConfig.from_dict(yaml.safe_load(kubeconfig))
        else:
            found = KubeConfig.from_file(Path(kubeconfig).expanduser())
        chosen = found.get(context)
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
    if chosen is None or chosen.user is None:
        raise SpecError(
            "kubeconfig", shown, "the context names no user", "a context with cluster and user"
        )
    return chosen
