"""Base of the gate's JSON and YAML documents: camelCase keys outside, frozen, no unknown keys."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import ConfigDict, ValidationError

from tidegate.spec.digests import canonical_json, digest_bytes
from tidegate.spec.errors import SpecError
from tidegate.spec.refusals import shape_error
from tidegate.spec.signature import SpecModel


class Document(SpecModel):
    """A frozen record that is written as JSON with camelCase keys."""

    model_config = ConfigDict(allow_inf_nan=False)

    def to_json(self) -> str:
        return self.model_dump_json(by_alias=True, indent=2) + "\n"

    @property
    def digest(self) -> str:
        """`sha256:<64 hex>` over the canonical JSON of every field."""
        return digest_bytes(canonical_json(self.model_dump(mode="json", by_alias=True)))

    @classmethod
    def parse(cls, content: Mapping[str, object], source: str) -> Self:
        """Validate `content`. Raises SpecError naming the first wrong field inside `source`."""
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise _spec_error(error, source) from None

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a JSON file. Raises SpecError when it cannot be read or does not fit."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise SpecError(
                "file", str(path), f"it cannot be read ({error.strerror})", "an existing file"
            ) from None
        except ValidationError as error:
            raise _spec_error(error, str(path)) from None

    def write(self, path: Path) -> None:
        """Write atomically: readers see the whole document or none."""
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        with temporary.open("w", encoding="utf-8") as stream:
            stream.write(self.to_json())
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)


def _spec_error(error: ValidationError, source: str) -> SpecError:
    # A SpecError raised by a validator of ours already says everything.
    cause = error.errors(include_url=False)[0].get("ctx", {}).get("error")
    return cause if isinstance(cause, SpecError) else shape_error(error, source)
