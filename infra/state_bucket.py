"""A bucket for the state of all other stacks, on AWS or on Google Cloud."""

import pulumi

from tidegate.spec.state_plan import StatePlan

NAME = "state"


def make_state_bucket(plan: StatePlan) -> None:
    """The bucket, and as outputs what is to be typed to use it."""
    url, provider = _on_aws(plan) if plan.cloud == "aws" else _on_gcp(plan)
    pulumi.export("backendUrl", url)
    pulumi.export("keyUrl", provider)
    pulumi.export("login", pulumi.Output.format("pulumi login '{0}'", url))
    init = "pulumi stack init --secrets-provider '{0}' <stack>"
    pulumi.export("stackInit", pulumi.Output.format(init, provider))


# The clouds' SDKs are loaded where they are used: a stack has one of them, or none.


def _on_aws(plan: StatePlan) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
    import pulumi_aws

    from tidegate.aws.state_bucket import StateBucket, StateBucketArgs

    provider = pulumi_aws.Provider(plan.name, region=plan.region)
    opts = pulumi.ResourceOptions(providers=[provider])
    made = StateBucket(NAME, StateBucketArgs(plan=plan), opts)
    return made.backend_url, made.key_url


def _on_gcp(plan: StatePlan) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
    import pulumi_gcp

    from tidegate.gcp.state_bucket import StateBucket, StateBucketArgs

    provider = pulumi_gcp.Provider(plan.name, project=plan.project, region=plan.region)
    opts = pulumi.ResourceOptions(providers=[provider])
    made = StateBucket(NAME, StateBucketArgs(plan=plan), opts)
    return made.backend_url, made.key_url
