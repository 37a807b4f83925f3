"""What a stack has come to, told without the ids that differ from one run to the next."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

OWN_NAMES = {
    "aws:eks/nodeGroup:NodeGroup": "nodeGroupName",
    "aws:s3/bucket:Bucket": "bucket",
    "gcp:serviceaccount/account:Account": "accountId",
}
"""The input that a resource is named by, where it is not `name`."""

SHORTEST = 8
MOVING = ("launchTemplate", "version")
"""A template that was changed once more on the way has a higher version, and the same content."""


def end_state(resources: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Inputs of each resource by URN; ids, names and addresses as `<URN path>` of their maker."""
    own = [each for each in resources if not each["type"].startswith("pulumi:")]
    made = {each["urn"]: dict(_made_by(each)) for each in own}
    seen = Counter(value for values in made.values() for value in set(values.values()))
    known = {
        value: f"<{urn} {path}>"
        for urn, values in made.items()
        for path, value in sorted(values.items(), reverse=True)
        if seen[value] == 1  # else it is a fact about the cloud, such as the account
    }
    return {each["urn"]: _told(each.get("inputs") or {}, known) for each in own}


def _made_by(resource: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Path and value of what the cloud decided when it made the resource."""
    if not resource.get("id"):  # a component passes on what its parts made
        return
    inputs, outputs = resource.get("inputs") or {}, resource.get("outputs") or {}
    own_name = OWN_NAMES.get(resource["type"], "name")
    if isinstance(inputs.get(own_name), str):
        yield own_name, inputs[own_name]
    given = {each for each in inputs.values() if isinstance(each, str)}
    # What it only repeats is somebody else's: the policy of a bucket has the bucket's name as id.
    found = [("id", resource["id"]), *_leaves({**outputs, "tagsAll": None}, inputs, "")]
    yield from ((path, value) for path, value in found if value not in given)


def _leaves(outputs: Any, inputs: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(outputs, Mapping):
        for name, value in outputs.items():
            given = inputs.get(name) if isinstance(inputs, Mapping) else None
            yield from _leaves(value, given, f"{path}.{name}")
    elif isinstance(outputs, list):
        for number, value in enumerate(outputs):
            given = inputs[number] if isinstance(inputs, list) and number < len(inputs) else None
            yield from _leaves(value, given, f"{path}.{number}")
    elif isinstance(outputs, str) and inputs is None and len(outputs) >= SHORTEST:
        yield path, outputs


def _told(inputs: Mapping[str, Any], known: Mapping[str, str]) -> Any:
    plain = dict(inputs)
    outer, inner = MOVING
    if isinstance(plain.get(outer), Mapping):
        plain[outer] = {**plain[outer], inner: "newest"}
    text = json.dumps(plain, sort_keys=True)
    for value in sorted(known, key=len, reverse=True):
        text = text.replace(json.dumps(value)[1:-1], json.dumps(known[value])[1:-1])
    return json.loads(text)
