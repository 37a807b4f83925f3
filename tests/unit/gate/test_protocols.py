"""The wire protocols against a small server: answers, errors, TLS and keys."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit.gate.kserve_fake import SIGNATURE, FakeServer, Fault, serving, write_golden_set
from tidegate.gate.answers import AnswerChecker
from tidegate.gate.protocols.base import Connection, RequestError
from tidegate.gate.protocols.catalogue import protocols_for
from tidegate.gate.protocols.endpoint import Endpoint
from tidegate.gate.request import ApiKey, Tls
from tidegate.gate.samples import ErrorKind, ProtocolCode
from tidegate.spec.errors import SpecError
from tidegate.spec.golden import GoldenData, load_golden
from tidegate.spec.release import Tolerance

pytestmark = pytest.mark.unit

CODES = [
    ProtocolCode.HTTP_BINARY,
    ProtocolCode.HTTP_JSON,
    ProtocolCode.GRPC,
    ProtocolCode.GRPC_STREAM,
]


@pytest.fixture
def golden(tmp_path: Path) -> GoldenData:
    write_golden_set(tmp_path / "golden.npz")
    return load_golden(tmp_path / "golden.npz", SIGNATURE)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Key and self-signed certificate for 127.0.0.1."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate, and it is not installed")
    folder = tmp_path_factory.mktemp("tls")
    key, chain = folder / "key.pem", folder / "chain.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=test", "-addext"]
    command += ["subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(chain)]
    subprocess.run(command, check=True, capture_output=True)
    return key, chain


def connection(
    server: FakeServer,
    golden: GoldenData,
    code: ProtocolCode,
    tls: Tls | None = None,
    key: ApiKey | None = None,
) -> Connection:
    http, grpc = (Endpoint(each, tls, key) for each in (server.http_target, server.grpc_target))
    protocols = protocols_for(http, grpc, SIGNATURE, golden, streaming=True)
    return next(protocol for protocol in protocols if protocol.code is code).connect()


@pytest.fixture
def checker(golden: GoldenData) -> AnswerChecker:
    return AnswerChecker(SIGNATURE, golden, Tolerance(absolute=1e-6, relative=1e-6))


@pytest.mark.parametrize("code", CODES)
def test_one_connection_carries_many_requests(
    code: ProtocolCode, golden: GoldenData, checker: AnswerChecker
) -> None:
    with serving(FakeServer()) as server:
        link = connection(server, golden, code)
        for example in [*range(golden.count), 0, 0]:
            assert checker.difference(example, link.infer(example, 20.0)) is None
        link.close()


def test_answers_without_a_length_are_read_to_their_end(
    golden: GoldenData, checker: AnswerChecker
) -> None:
    with serving(FakeServer(chunked=True)) as server:
        link = connection(server, golden, ProtocolCode.HTTP_BINARY)
        for example in range(golden.count):
            assert checker.difference(example, link.infer(example, 20.0)) is None
        link.close()


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize(
    ("fault", "kind", "seconds"),
    [("status500", ErrorKind.STATUS, 20.0), ("hang", ErrorKind.DEADLINE, 0.5)],
)
def test_a_request_without_an_answer_says_why(
    code: ProtocolCode, fault: Fault, kind: ErrorKind, seconds: float, golden: GoldenData
) -> None:
    with serving(FakeServer(fault=fault)) as server:
        link = connection(server, golden, code)
        with pytest.raises(RequestError) as caught:
            link.infer(0, seconds)
        assert caught.value.kind is kind
        if fault == "status500":
            assert "the model is broken" in str(caught.value)


@pytest.mark.parametrize("code", CODES)
def test_tls_carries_every_protocol(
    code: ProtocolCode,
    golden: GoldenData,
    checker: AnswerChecker,
    certificate: tuple[Path, Path],
) -> None:
    with serving(FakeServer(certificate=certificate)) as server:
        link = connection(server, golden, code, Tls(ca_file=str(certificate[1])))
        for example in range(golden.count):
            assert checker.difference(example, link.infer(example, 20.0)) is None
        link.close()


@pytest.mark.parametrize("code", [ProtocolCode.HTTP_BINARY, ProtocolCode.GRPC])
def test_an_unknown_authority_is_refused(
    code: ProtocolCode, golden: GoldenData, certificate: tuple[Path, Path]
) -> None:
    with serving(FakeServer(certificate=certificate)) as server:
        with pytest.raises(RequestError, match=r"(?i)TLS.*certificate") as caught:
            connection(server, golden, code, Tls()).infer(0, 20.0)
        assert caught.value.kind is ErrorKind.CONNECTION


@pytest.mark.parametrize("code", CODES)
def test_a_key_goes_with_every_request(
    code: ProtocolCode, golden: GoldenData, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("open sesame\n")
    key = ApiKey(header="x-api-key", file=str(tmp_path / "key"))
    with serving(FakeServer(api_key="open sesame")) as server:
        link = connection(server, golden, code, key=key)
        assert link.infer(0, 20.0).model_version == "2"
        link.close()
        with pytest.raises(RequestError, match="who are you"):
            connection(server, golden, code).infer(0, 20.0)


def test_a_key_that_cannot_be_read_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATE_TEST_KEY", "two\nlines")
    with pytest.raises(SpecError, match="GATE_TEST_KEY") as caught:
        ApiKey(environment_variable="GATE_TEST_KEY").read()
    assert "two" not in str(caught.value)
    with pytest.raises(SpecError, match="holds no key"):
        ApiKey(file=str(tmp_path / "missing")).read()
