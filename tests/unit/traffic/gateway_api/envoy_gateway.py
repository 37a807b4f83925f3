"""How Envoy Gateway 1.9 orders the rules of a host and finds one for a request.

Path first (exact, regular expression, prefix; longer ones first), then the number of headers, then
the number of exact ones, then the place in the route.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

Rule = Mapping[str, Any]
Match = Mapping[str, Any]
_PATHS = {"Exact": 2, "RegularExpression": 1, "PathPrefix": 0}


def rule_for(rules: Sequence[Rule], path: str, headers: Mapping[str, str]) -> Rule | None:
    """The rule that a request meets, None when none matches."""
    matches = [(match, rule) for rule in rules for match in rule["matches"]]
    for match, rule in sorted(matches, key=lambda each: _precedence(each[0]), reverse=True):
        if _fits(match, path, headers):
            return rule
    return None


def _precedence(match: Match) -> tuple[int, int, int, int]:
    kind, value = _path(match)
    headers = match.get("headers", ())
    exact = sum(each["type"] == "Exact" for each in headers)
    return _PATHS[kind], len(value), len(headers), exact


def _path(match: Match) -> tuple[str, str]:
    if "method" in match:
        service, method = match["method"]["service"], match["method"].get("method")
        return ("Exact", f"/{service}/{method}") if method else ("PathPrefix", f"/{service}/")
    return match["path"]["type"], match["path"]["value"]


def _fits(match: Match, path: str, headers: Mapping[str, str]) -> bool:
    kind, value = _path(match)
    match kind:
        case "Exact":
            fits = path == value
        case "RegularExpression":
            fits = re.fullmatch(value, path) is not None
        case _:
            fits = path == value or path.startswith(value.rstrip("/") + "/")
    return fits and all(_has(each, headers) for each in match.get("headers", ()))


def _has(wanted: Mapping[str, str], headers: Mapping[str, str]) -> bool:
    found = headers.get(wanted["name"])
    if found is None:
        return False
    if wanted["type"] == "Exact":
        return found == wanted["value"]
    return re.fullmatch(wanted["value"], found) is not None
