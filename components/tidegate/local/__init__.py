"""The embedded platform: real Triton and real Envoy on one machine, kept alive by supervisor."""

PLATFORM = "local"
"""Name of this platform in releases and revisions."""
