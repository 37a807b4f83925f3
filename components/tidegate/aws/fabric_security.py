"""Who may talk on the network between GPUs."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import ec2, vpc

from tidegate.aws.tags import named


@dataclass(frozen=True, kw_only=True)
class FabricSecurityArgs:
    """Arguments of a `FabricSecurity`. The group is one of this VPC."""

    vpc_id: pulumi.Input[str]
    tags: Mapping[str, str]


class FabricSecurity(pulumi.ComponentResource):
    """What EFA needs: a group whose members reach each other with every protocol.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/efa-start.html, step 1
    """

    group_id: pulumi.Output[str]

    def __init__(
        self, name: str, args: FabricSecurityArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tidegate:aws:FabricSecurity", name, None, opts)
        own = pulumi.ResourceOptions(parent=self)
        group = ec2.SecurityGroup(
            name,
            description="The network between GPUs",
            vpc_id=args.vpc_id,
            tags=named(args.tags, name),
            opts=own,
        )
        self.group_id = group.id
        for rule in (vpc.SecurityGroupIngressRule, vpc.SecurityGroupEgressRule):
            rule(
                name,
                security_group_id=group.id,
                referenced_security_group_id=group.id,
                ip_protocol="-1",
                description="All traffic between members",
                tags=named(args.tags, name),
                opts=own,
            )
        self.register_outputs({"groupId": self.group_id})
