import pytest

from tests.unit.cluster.api_server import KUBECONFIG, ApiServer, status
from tidegate.cluster.client import connect
from tidegate.cluster.errors import (
    BusyError,
    ClusterError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    MissingKindError,
    NotFoundError,
    QuotaError,
    SilentWebhookError,
    UnauthorizedError,
    UnreachableError,
    UntrustedServerError,
    WebhookError,
    unreachable,
)
from tidegate.cluster.kinds import BACKEND_TRAFFIC_POLICY, CONFIG_MAP, JOB
from tidegate.spec.errors import SpecError

pytestmark = pytest.mark.unit

JOB_OBJECT = {"metadata": {"name": "gate-1f00aa11-001"}, "spec": {}}


@pytest.mark.parametrize(
    ("code", "body", "error", "words"),
    [
        (401, status(401, "Unauthorized", "Unauthorized"), UnauthorizedError, ["credentials"]),
        (
            403,
            status(403, "Forbidden", 'jobs.batch is forbidden: User "ci" cannot create jobs'),
            ForbiddenError,
            ['User "ci" cannot create jobs', "permission"],
        ),
        (
            403,
            status(
                403,
                "Forbidden",
                'pods "x" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=4,'
                " used: requests.nvidia.com/gpu=8, limited: requests.nvidia.com/gpu=8",
            ),
            QuotaError,
            ["exceeded quota: gpus", "limited: requests.nvidia.com/gpu=8", "raised"],
        ),
        (
            400,
            status(400, "BadRequest", 'admission webhook "a.b.c" denied the request: no owner'),
            WebhookError,
            ['admission webhook "a.b.c" denied the request: no owner'],
        ),
        (
            422,
            status(
                422,
                "Invalid",
                "jobs.batch \"x\" is forbidden: ValidatingAdmissionPolicy 'owners' with binding "
                "'owners' denied request: name an owner",
            ),
            WebhookError,
            ["denied request: name an owner", "Whoever made that policy can say why"],
        ),
        (
            500,
            status(500, "InternalError", 'Internal error: failed calling webhook "a.b.c": EOF'),
            SilentWebhookError,
            ['failed calling webhook "a.b.c": EOF'],
        ),
        (
            422,
            status(
                422,
                "Invalid",
                "Job is invalid",
                causes=[{"field": "spec.template", "message": "Required value"}],
            ),
            InvalidError,
            ["spec.template: Required value"],
        ),
        (409, status(409, "Conflict", "modified"), ConflictError, ["somebody else"]),
        (404, status(404, "NotFound", 'namespaces "team-a" not found'), NotFoundError, ["Create"]),
        (404, "404 page not found\n", MissingKindError, ["Job (batch/v1)", "docs/kubernetes.md"]),
        (503, "<html>no backend</html>", BusyError, ["come back later", "HTTP 503"]),
        (
            500,
            status(500, "InternalError", "etcdserver: leader changed"),
            BusyError,
            ["HTTP 500", "etcdserver: leader changed"],
        ),
        (408, status(408, "Timeout", "request did not complete"), BusyError, ["HTTP 408"]),
        (507, "", BusyError, ["HTTP 507"]),
        (418, "teapot", ClusterError, ["HTTP 418"]),
    ],
)
async def test_a_refusal_is_one_sentence_that_names_the_object(
    code: int, body: str, error: type[ClusterError], words: list[str]
) -> None:
    server = ApiServer(refusals=[(code, body)])

    with pytest.raises(error) as caught:
        await server.cluster().create(JOB, JOB_OBJECT)

    said = str(caught.value)
    assert said.startswith("Job team-a/gate-1f00aa11-001 cannot be written: ")
    assert "\n" not in said
    for each in words:
        assert each in said


def test_a_webhook_that_is_silent_is_waited_for_as_an_api_server_is() -> None:
    assert issubclass(SilentWebhookError, UnreachableError)
    assert not issubclass(WebhookError, UnreachableError)


async def test_no_answer_names_the_server_and_the_cause() -> None:
    server = ApiServer(is_down=True)

    with pytest.raises(UnreachableError, match=r"https://api\.test:6443 does not answer") as caught:
        await server.cluster().get(CONFIG_MAP, "switch.digits")

    assert "ConfigMap team-a/switch.digits cannot be read" in str(caught.value)
    assert "connection refused" in str(caught.value)


def test_a_server_with_another_certificate_is_not_one_that_is_silent() -> None:
    why = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate"

    error = unreachable("read", "ConfigMap team-a/x", "https://api.test:6443", why)

    assert isinstance(error, UntrustedServerError), "nobody should wait for it"
    assert "the certificate of https://api.test:6443 is not one" in str(error)
    assert "certificate-authority" in str(error)


async def test_a_list_of_a_kind_that_is_not_installed() -> None:
    server = ApiServer(unknown_plurals={"backendtrafficpolicies"})

    with pytest.raises(MissingKindError, match="BackendTrafficPolicy"):
        await server.cluster().select(BACKEND_TRAFFIC_POLICY)


async def test_find_and_delete_know_what_is_not_there() -> None:
    cluster = ApiServer().cluster()

    assert await cluster.find(CONFIG_MAP, "none") is None
    assert await cluster.delete(CONFIG_MAP, "none") is False


@pytest.mark.parametrize(
    ("kubeconfig", "context", "why"),
    [
        ("/nowhere/kubeconfig", None, "not found"),
        (KUBECONFIG, "other", "other"),
        ("clusters: [\ntoken: s3cr3t", None, "it cannot be read"),
        ("apiVersion: v1\nusers: [{name: a, user: {token: s3cr3t}}]\n", None, "it cannot be read"),
    ],
)
def test_a_kubeconfig_that_names_no_cluster_never_shows_its_content(
    kubeconfig: str, context: str | None, why: str
) -> None:
    with pytest.raises(SpecError, match=why) as caught:
        connect(kubeconfig, context, "team-a")

    assert "s3cr3t" not in str(caught.value)
