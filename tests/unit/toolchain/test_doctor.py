"""The table of `make doctor` and its exit code."""

from __future__ import annotations

import io

import pytest

from toolchain.doctor import Finding, State, missing_libraries, report

pytestmark = pytest.mark.unit


def test_what_setup_installs_is_no_failure() -> None:
    out = io.StringIO()
    findings = [
        Finding("python", State.PRESENT, "3.11.7"),
        Finding("pulumi", State.SETUP, "not there", "run `make setup`"),
    ]
    assert report(findings, out) == 0
    assert "run `make setup`" in out.getvalue()


def test_what_only_tests_need_is_no_failure() -> None:
    out = io.StringIO()
    findings = [Finding("etcd", State.TESTS, "not there", "`make setup-tests` builds it")]
    assert report(findings, out) == 0
    assert "make setup-tests" in out.getvalue()


def test_what_the_user_must_bring_fails() -> None:
    out = io.StringIO()
    assert report([Finding("go", State.MISSING, "", "Install Go")], out) == 1
    assert "Install Go" in out.getvalue()


def test_missing_libraries_are_read_off_ldd() -> None:
    printed = "\tlibb.so.6 => not found\n\tlibc.so.6 => /lib/libc.so.6 (0x2)\n"
    assert missing_libraries(printed) == ["libb.so.6"]
