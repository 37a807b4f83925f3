"""What a route can hold, asked before anything is made for it and again when it is written."""

from collections.abc import Sequence

from tidegate.spec.errors import SpecError
from tidegate.spec.kubernetes_names import check_hostnames
from tidegate.spec.revision import Revision
from tidegate.spec.traffic import Affinity
from tidegate.traffic.gateway_api.desired import DesiredRoutes
from tidegate.traffic.gateway_api.rules import Rule, grpc_rules, http_rules
from tidegate.traffic.routes import ServiceRoutes

MOST_RULES = 16
MOST_MATCHES_OF_A_RULE = 64
MOST_MATCHES = 128
LONGEST_PATH = 1024
"""Limits of HTTPRoute and GRPCRoute."""


def check_routes(
    live: Revision, standby: Revision | None, hostnames: Sequence[str], affinity: Affinity | None
) -> None:
    """Raise SpecError for a service that no route can lead to.

    Otherwise its switch would say so, after a slot has taken GPUs and a gate has run.
    """
    check_hostnames(hostnames)
    routes = ServiceRoutes(
        service=live.service,
        models=tuple(each.name for each in live.release.models),
        weights={live.id: 100} | ({standby.id: 0} if standby is not None else {}),
        request_timeout_seconds=1,
        affinity=affinity,
        hostnames=tuple(hostnames),
    )
    desired = DesiredRoutes(routes, pinned=())
    for rules in (http_rules(desired), grpc_rules(desired)):
        check_size(desired, rules)


def check_size(desired: DesiredRoutes, rules: list[Rule]) -> None:
    """Raise SpecError when the Gateway API does not admit so many rules, matches or models."""
    matches = [match for rule in rules for match in rule["matches"]]
    longest = max(len(match.get("path", {}).get("value", "")) for match in matches)
    if longest > LONGEST_PATH:
        raise SpecError(
            f"{desired.routes.service}.models",
            len(desired.routes.models),
            f"the path of all their names has {longest} characters, and a route holds "
            f"{LONGEST_PATH}",
            "several services with fewer models each, or shorter names",
        )
    largest = max(len(rule["matches"]) for rule in rules)
    if (
        len(rules) <= MOST_RULES
        and largest <= MOST_MATCHES_OF_A_RULE
        and (len(matches) <= MOST_MATCHES)
    ):
        return
    raise SpecError(
        f"{desired.routes.service}.standby",
        sorted(desired.pinned),
        f"routes to so many revisions have {len(rules)} rules with {len(matches)} matches, and a "
        f"route holds {MOST_RULES} rules with {MOST_MATCHES} matches",
        "fewer revisions at a time: remove one that is not needed any more, or the affinity",
    )
