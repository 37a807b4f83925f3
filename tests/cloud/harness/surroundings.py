"""What differs between the clouds that the recording plugin stands in for."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.cloud.harness import aws_rules, gcp_rules, kubernetes_rules
from tests.cloud.harness.cloud_rules import DEFAULT_RULE, TypeRule, random_hex
from tests.cloud.harness.invokes import AWS_INVOKES, GCP_INVOKES, Invoke

CERTIFICATE = base64.b64encode(b"-----BEGIN CERTIFICATE-----\nrecorded\n").decode()


@dataclass(frozen=True)
class Surroundings:
    """`custom_types`: types that the SDK does not know are taken as they come."""

    package: str
    values: Mapping[str, str]
    rules: Mapping[str, TypeRule]
    invokes: Mapping[str, Invoke]
    invent: Callable[[str, str, str, str], Any]
    custom_types: bool = False
    default_rule: TypeRule = DEFAULT_RULE

    def rule(self, token: str) -> TypeRule:
        return self.rules.get(token, self.default_rule)


def surroundings_of(package: str) -> Surroundings:
    """Raises KeyError for a package that nobody stands in for."""
    return {
        "aws": Surroundings("aws", aws_rules.SURROUNDINGS, aws_rules.RULES, AWS_INVOKES, _aws),
        "gcp": Surroundings("gcp", gcp_rules.SURROUNDINGS, gcp_rules.RULES, GCP_INVOKES, _gcp),
        "kubernetes": Surroundings(
            "kubernetes",
            kubernetes_rules.SURROUNDINGS,
            kubernetes_rules.RULES,
            {},
            _nothing,
            custom_types=True,
            default_rule=kubernetes_rules.OBJECT_RULE,
        ),
    }[package]


_AWS_PREFIXES = {
    "Vpc": "vpc",
    "SecurityGroup": "sg",
    "RouteTable": "rtb",
    "NetworkAcl": "acl",
    "NetworkInterface": "eni",
    "Subnet": "subnet",
}


def _aws(token: str, object_id: str, name: str, kind: str) -> Any:
    """`name` and `kind` are those of the output."""
    service, _, rest = token.removeprefix("aws:").partition("/")
    lower = name.lower()
    if kind != "string":
        return _plain(name, kind)
    if lower == "arn" or lower.endswith("arn"):
        return _arn(service, rest.partition(":")[2], object_id)
    if lower == "data":
        return CERTIFICATE
    if lower == "issuer":
        return f"https://oidc.eks.{aws_rules.REGION}.amazonaws.com/id/{random_hex(object_id)[:32]}"
    if lower in ("ownerid", "accountid", "registryid", "awsaccountid"):
        return aws_rules.ACCOUNT
    if lower == "repositoryurl":
        return f"{aws_rules.ACCOUNT}.dkr.ecr.{aws_rules.REGION}.amazonaws.com/{object_id}"
    if lower == "region":
        return aws_rules.REGION
    if lower.endswith("id"):
        for ending, prefix in _AWS_PREFIXES.items():
            if lower.endswith(f"{ending}id".lower()):
                return f"{prefix}-{random_hex(object_id, name)[:17]}"
    if lower == "endpoint":
        return f"https://{random_hex(object_id)[:32]}.gr7.{aws_rules.REGION}.eks.amazonaws.com"
    return _plain_text(name, object_id)


def _arn(service: str, type_name: str, object_id: str) -> str:
    if object_id.startswith("arn:"):
        return object_id
    if service == "s3":
        return f"arn:aws:s3:::{object_id}"
    region = "" if service == "iam" else aws_rules.REGION
    kind = type_name[:1].lower() + type_name[1:]
    return f"arn:aws:{service}:{region}:{aws_rules.ACCOUNT}:{kind}/{object_id}"


def _gcp(token: str, object_id: str, name: str, kind: str) -> Any:
    service = token.removeprefix("gcp:").partition("/")[0]
    lower = name.lower()
    if kind != "string":
        return _plain(name, kind)
    if lower == "selflink":
        return f"https://www.googleapis.com/{service}/v1/{object_id}"
    if lower == "project":
        return gcp_rules.PROJECT
    if lower.endswith("certificate"):
        return CERTIFICATE
    if lower == "email":
        account = object_id.rpartition("/")[2].partition("@")[0]
        return f"{account}@{gcp_rules.PROJECT}.iam.gserviceaccount.com"
    if lower == "endpoint":
        return "203.0.113.10"
    if lower == "url":
        return f"gs://{object_id}"
    return _plain_text(name, object_id)


def _nothing(token: str, object_id: str, name: str, kind: str) -> Any:
    return None


def _plain(name: str, kind: str) -> Any:
    if kind == "bool":
        return False
    return 1 if kind in ("int", "number") else None


def _plain_text(name: str, object_id: str) -> str:
    if name.lower() in ("status", "state"):
        return "ACTIVE"
    return f"{name}-{random_hex(object_id, name)[:8]}"
