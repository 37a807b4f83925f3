"""Texts that must look a certain way, with words for one that does not."""

import re

from pydantic import AfterValidator

from tidegate.spec.errors import SpecError


def matching(pattern: str, why: str, instead: str) -> AfterValidator:
    """The whole text matches; `why` says who asks for it, `instead` what a good one looks like."""
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if compiled.fullmatch(text):
            return text
        near = re.sub("[^a-z0-9]+", "-", text.lower()).strip("-")
        hint = f"'{near}'; " if near != text and compiled.fullmatch(near) else ""
        raise SpecError("", text, why, f"{hint}{instead}")

    return AfterValidator(check)
