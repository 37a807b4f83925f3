"""Who runs this process, for journals."""

import psutil


def acting_user() -> str:
    return psutil.Process().username()
