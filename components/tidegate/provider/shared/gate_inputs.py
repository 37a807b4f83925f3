"""What a `LoadTestGate` is given and what it tells."""

from typing import Any, Literal

from pydantic import Field

from tidegate.gate.profile import parse_profile
from tidegate.provider.handler import CheckFailure, Outputs, ResourceModel
from tidegate.spec.errors import SpecError

NOT_RUN = "NOT_RUN"


class LoadTestGateInputs(ResourceModel):
    service: str
    revision: str = Field(description="Revision that is judged; also the resource's id.")
    release: str
    role: Literal["required", "keep"] = Field(
        description="required: the revision is to take traffic. keep: it stands by, run nothing."
    )
    serving_root: str = Field(description="Folder with releases/, models/ and golden/.")
    release_digest: str = Field(description="Digest of the release's manifest.")
    profile: dict[str, Any] = Field(description="The whole load profile, overrides applied.")
    http_target: str = Field(description="host:port of the revision's own server, HTTP.")
    grpc_target: str = Field(description="host:port of the revision's own server, gRPC.")
    metrics_target: str = Field(description="host:port of the revision's own server, metrics.")
    accelerator_pool: str | None = Field(
        default=None, description="Pool on which one gate runs at a time; none on one machine."
    )
    retry: str | None = Field(
        default=None, min_length=3, description="Why a release that failed may be judged again."
    )


class LoadTestGateOutputs(Outputs):
    outcome: str = Field(description="PASS, or NOT_RUN for a standby that was never judged.")
    summary: str = Field(description="The verdict in one line.")
    evidence: str = Field(description="Path or URL of the evidence; empty when there is none.")
    report: str = Field(
        default="", description="Path or URL of the report page; empty when there is none."
    )
    nonce: str = Field(description="Names this gate; another gate of the revision has another.")

    @classmethod
    def not_run(cls, nonce: str) -> "LoadTestGateOutputs":
        """Of a gate that nobody asked to decide."""
        return cls(
            outcome=NOT_RUN, summary="never judged here", evidence="", report="", nonce=nonce
        )


def check_profile(inputs: LoadTestGateInputs) -> list[CheckFailure]:
    """A profile that cannot work, as an error on that property."""
    try:
        parse_profile(inputs.profile, "profile")
    except SpecError as error:
        return [CheckFailure("profile", str(error))]
    return []
