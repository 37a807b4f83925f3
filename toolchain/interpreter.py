"""Can this interpreter carry the project? Run by `toolchain/run` in each candidate.

Print the interpreter's own path and exit 0 if it can; else print one line that says why not and
exit 1. Kept free of newer syntax, so
that an old interpreter gives its reason and not a syntax error.
"""

import ctypes
import importlib.util
import os
import sys
import sysconfig

OLDEST = (3, 11)
# Triton's wheel pins numpy 1.26, which has no build for Python 3.13.
NEWEST = (3, 12)


def version_problem(version):
    # type: (tuple[int, int]) -> str | None
    """Say why a (major, minor) version is not supported; None if it is."""
    found = "Python {}.{}".format(*version)
    if version < OLDEST:
        return found + " is too old: 3.11 or 3.12 is needed"
    if version > NEWEST:
        return found + " is too new: Triton's wheel ends at Python 3.12"
    return None


def shared_library(version):
    # type: (tuple[int, int]) -> str | None
    """Find libpython of the running interpreter: the Python backend of Triton links against it."""
    name = "libpython{}.{}.so.1.0".format(*version)
    folders = (sysconfig.get_config_var("LIBDIR"), os.path.join(sys.base_prefix, "lib"))  # noqa: PTH118
    for folder in folders:
        if folder and os.path.exists(os.path.join(folder, name)):  # noqa: PTH110, PTH118
            return os.path.join(folder, name)  # noqa: PTH118
    try:
        ctypes.CDLL(name)
    except OSError:
        return None
    return name


def problem():
    # type: () -> str | None
    """Say why the running interpreter cannot carry the project; None if it can."""
    version = (sys.version_info[0], sys.version_info[1])
    found = version_problem(version)
    if found is not None:
        return found
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if missing:
        return "Python {}.{} lacks the module {}".format(*version, missing[0])
    if shared_library(version) is None:
        return "Python {}.{} has no shared library (libpython)".format(*version)
    return None


if __name__ == "__main__":
    reason = problem()
    print(reason or sys.executable)
    sys.exit(1 if reason else 0)
