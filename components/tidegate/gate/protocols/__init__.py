"""Clients of the KServe v2 inference protocol, one class per wire format.

A new protocol is one class with `code` and `connect()` (see `base.Protocol`) and one entry in
`catalogue.protocols_for`.
"""
