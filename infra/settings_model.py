"""Base of everything that a stack file says."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

NAMESPACE = "tidegate"


class SettingsModel(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, strict=True
    )


def settings_key(*path: str) -> str:
    """How a key is written in messages: `tidegate:services.digits.release`."""
    return f"{NAMESPACE}:" + ".".join(path)
