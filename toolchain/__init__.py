"""Installs what the project runs on, and drives it: standard library only, no environment needed.

`toolchain/run` picks a Python and starts `python -m toolchain`; the Makefile calls that.
"""
