"""Configuration of the provider: how it reaches the platform it acts on."""

from pydantic import Field

from tidegate.provider.handler import Outputs


class ProviderConfiguration(Outputs):
    """Connection details of the embedded platform.

    The engine adds keys of its own (such as `version`), so unknown keys are passed over.
    """

    state_folder: str = Field(description="Absolute path of the stack's state folder.")
    environment: str = Field(description="Name under which attempts and evidence are recorded.")
    evidence: str | None = Field(
        default=None,
        description="Where attempts and evidence are kept: an absolute folder, s3://bucket/prefix "
        "or gs://bucket/prefix; without, the state folder.",
    )
    stack_file: str = Field(description="The stack's settings file, named in error messages.")
