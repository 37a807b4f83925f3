"""The platform on a cluster: what every cluster gets, whoever made it."""

from tidegate.spec.serving_on_kubernetes import PLATFORM

__all__ = ["PLATFORM"]
