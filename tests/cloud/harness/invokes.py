"""Answers of the functions that programs call, by token."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.cloud.harness import aws_rules, gcp_rules

Invoke = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def _zones(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    region = arguments.get("region") or aws_rules.REGION
    names = [f"{region}{letter}" for letter in "abcd"]
    return {
        "id": region,
        "names": names,
        "zoneIds": [f"use1-az{n + 1}" for n in range(len(names))],
        "groupNames": [region],
        "region": region,
    }


def _identity(_: Mapping[str, Any]) -> Mapping[str, Any]:
    account = aws_rules.ACCOUNT
    return {
        "id": account,
        "accountId": account,
        "arn": f"arn:aws:iam::{account}:user/recorded",
        "userId": "AIDARECORDED",
    }


def _partition(_: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "id": "aws",
        "partition": "aws",
        "dnsSuffix": "amazonaws.com",
        "reverseDnsPrefix": "com.amazonaws",
    }


def _region(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    region = arguments.get("region") or aws_rules.REGION
    return {
        "id": region,
        "name": region,
        "region": region,
        "description": "recorded",
        "endpoint": f"ec2.{region}.amazonaws.com",
    }


def _project(_: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "id": f"projects/{gcp_rules.PROJECT}",
        "projectId": gcp_rules.PROJECT,
        "name": gcp_rules.PROJECT,
        "number": gcp_rules.PROJECT_NUMBER,
        "labels": {},
        "effectiveLabels": {},
        "pulumiLabels": {},
    }


def _client_config(_: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "id": "recorded",
        "accessToken": "recorded",
        "project": gcp_rules.PROJECT,
        "region": gcp_rules.REGION,
        "zone": f"{gcp_rules.REGION}-a",
        "defaultLabels": {},
    }


def _storage_account(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    email = f"service-{gcp_rules.PROJECT_NUMBER}@gs-project-accounts.iam.gserviceaccount.com"
    return {
        "id": email,
        "emailAddress": email,
        "member": f"serviceAccount:{email}",
        "project": arguments.get("project") or gcp_rules.PROJECT,
    }


def _compute_zones(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    region = arguments.get("region") or gcp_rules.REGION
    names = [f"{region}-{letter}" for letter in "abc"]
    return {"id": region, "names": names, "project": gcp_rules.PROJECT, "region": region}


AWS_INVOKES: Mapping[str, Invoke] = {
    "aws:index/getAvailabilityZones:getAvailabilityZones": _zones,
    "aws:index/getCallerIdentity:getCallerIdentity": _identity,
    "aws:index/getPartition:getPartition": _partition,
    "aws:index/getRegion:getRegion": _region,
}
GCP_INVOKES: Mapping[str, Invoke] = {
    "gcp:organizations/getProject:getProject": _project,
    "gcp:organizations/getClientConfig:getClientConfig": _client_config,
    "gcp:compute/getZones:getZones": _compute_zones,
    "gcp:storage/getProjectServiceAccount:getProjectServiceAccount": _storage_account,
}
