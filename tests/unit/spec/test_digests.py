from pathlib import Path

import pytest

from tidegate.spec.digests import canonical_json, digest_bytes, digest_file, tree_findings

pytestmark = pytest.mark.unit

# SHA-256 of "abc", FIPS 180-2 appendix B.1.
ABC = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_digest_of_bytes_and_of_a_file_agree(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert digest_bytes(b"abc") == digest_file(tmp_path / "abc") == ABC


def test_canonical_json_does_not_depend_on_key_order() -> None:
    assert canonical_json({"b": 1, "a": ["ü"]}) == '{"a":["ü"],"b":1}'.encode()


def test_canonical_json_refuses_nan() -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(float("nan"))


def test_tree_findings_name_missing_extra_and_changed_files(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "changed").write_bytes(b"abc")
    (tmp_path / "extra").write_bytes(b"")
    findings = tree_findings(tmp_path, {"sub/changed": "sha256:other", "gone": ABC})
    assert findings == (
        "gone is missing",
        "extra is not in the manifest",
        f"sub/changed is {ABC}, expected sha256:other",
    )


def test_tree_without_findings(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert tree_findings(tmp_path, {"abc": ABC}) == ()
