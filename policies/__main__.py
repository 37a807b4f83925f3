"""The policy pack: hands the rules to Pulumi's policy server."""

from __future__ import annotations

from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    StackValidationArgs,
    StackValidationPolicy,
)

from tidegate_rules.release import switch_without_gate
from tidegate_rules.resources import Resource


def validate_switches(args: StackValidationArgs, report: ReportViolation) -> None:
    """Report each switch that no gate guards."""
    resources = [
        Resource(
            urn=resource.urn,
            type=resource.resource_type,
            dependencies=frozenset(dependency.urn for dependency in resource.dependencies),
        )
        for resource in args.resources
    ]
    for violation in switch_without_gate(resources):
        report(violation.message, violation.urn)


# Constructing the pack starts its server and blocks until the engine is done with it.
PolicyPack(
    name="tidegate",
    enforcement_level=EnforcementLevel.MANDATORY,
    policies=[
        StackValidationPolicy(
            name="switch-without-gate",
            description="A TrafficSwitch depends on the LoadTestGate that decides for it.",
            validate=validate_switches,
        ),
    ],
)
