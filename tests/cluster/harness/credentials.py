"""Keys, certificates and kubeconfigs of a test cluster."""

from __future__ import annotations

import base64
import json
import secrets
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONTEXT = "tidegate-test"


@dataclass(frozen=True)
class ServingCertificate:
    """A certificate that is its own authority, and its key: paths of PEM files."""

    certificate: Path
    key: Path


def serving_certificate(
    folder: Path, name: str, addresses: Sequence[str], names: Sequence[str] = ()
) -> ServingCertificate:
    """Make a certificate for these IP addresses and DNS names, valid for two days."""
    made = ServingCertificate(folder / f"{name}.crt", folder / f"{name}.key")
    alternatives = [f"IP:{each}" for each in addresses] + [f"DNS:{each}" for each in names]
    _openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-keyout", str(made.key), "-out", str(made.certificate), "-days", "2"),
        *("-subj", f"/CN={name}", "-addext", f"subjectAltName={','.join(alternatives)}"),
    )
    return made


@dataclass(frozen=True)
class SigningKey:
    """Key of service account tokens: paths of PEM files."""

    private: Path
    public: Path


def signing_key(folder: Path) -> SigningKey:
    made = SigningKey(folder / "service-accounts.key", folder / "service-accounts.pub")
    options = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1")
    _openssl("genpkey", *options, "-out", str(made.private))
    _openssl("pkey", "-in", str(made.private), "-pubout", "-out", str(made.public))
    return made


def new_token() -> str:
    return secrets.token_hex(16)


def kubeconfig(server: str, authority: Path, token: str, namespace: str = "default") -> str:
    """A kubeconfig with one context, as JSON, which is YAML as well."""
    cluster = {
        "server": server,
        "certificate-authority-data": base64.b64encode(authority.read_bytes()).decode(),
    }
    context = {"cluster": CONTEXT, "user": CONTEXT, "namespace": namespace}
    content: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CONTEXT, "cluster": cluster}],
        "users": [{"name": CONTEXT, "user": {"token": token}}],
        "contexts": [{"name": CONTEXT, "context": context}],
        "current-context": CONTEXT,
    }
    return json.dumps(content, indent=2)


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
