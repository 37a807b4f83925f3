"""A cluster that takes every object; charts are recorded as they are asked for."""

from tests.cloud.harness.cloud_rules import TypeRule

SURROUNDINGS: dict[str, str] = {}
RULES = {"kubernetes:helm.sh/v3:Release": TypeRule("{namespace}/{name}", replaces=("namespace",))}
