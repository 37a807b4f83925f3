"""Which cluster is talked to when no kubeconfig is named."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tidegate.cluster import kubeconfig
from tidegate.cluster.kubeconfig import own_service_account, read_kubeconfig
from tidegate.spec.errors import SpecError

pytestmark = pytest.mark.unit

CI = "https://10.0.0.1:443"


def written(path: Path, name: str, *, is_current: bool = True, **user: Any) -> Path:
    """A kubeconfig of one context, cluster and user, all of the same name."""
    content = {
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}.test"}}],
        "users": [{"name": name, "user": {"token": name, **user}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    }
    if is_current:
        content["current-context"] = name  # type: ignore[assignment]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    return tmp_path / "home"


@pytest.fixture
def pod(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The account of a pod in the cluster of a CI system; its folder."""
    folder = home.parent / "serviceaccount"
    folder.mkdir()
    (folder / "token").write_text("ci")
    (folder / "namespace").write_text("ci")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.setattr(kubeconfig, "SERVICE_ACCOUNT", str(folder))
    return folder


def test_files_go_before_the_account_of_a_pod(
    home: Path, pod: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_kubeconfig(None, None).cluster.server == CI
    written(home / ".kube" / "config", "staging")
    assert read_kubeconfig(None, None).cluster.server == "https://staging.test"
    monkeypatch.setenv("KUBECONFIG", str(written(home / "prod.yaml", "prod")))
    assert read_kubeconfig(None, None).cluster.server == "https://prod.test"
    assert own_service_account().cluster.server == CI


def test_a_file_that_is_missing_does_not_lead_to_the_cluster_of_the_pod(
    home: Path, pod: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(home / "prod.yaml"))

    with pytest.raises(SpecError, match="KUBECONFIG not found") as caught:
        read_kubeconfig(None, None)
    assert caught.value.value == str(home / "prod.yaml")


def test_a_context_is_none_of_a_pod(pod: Path) -> None:
    with pytest.raises(SpecError, match="Context 'prod' not found"):
        read_kubeconfig(None, "prod")


@pytest.mark.usefixtures("home")
def test_without_any_of_them_all_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubeconfig, "SERVICE_ACCOUNT", "/nowhere")
    monkeypatch.setenv("KUBECONFIG", "")

    with pytest.raises(SpecError, match=r"~/.kube/config not found, \$KUBECONFIG names none"):
        read_kubeconfig(None, None)
    with pytest.raises(SpecError, match="/nowhere/token"):
        own_service_account()


def test_an_account_without_the_address_of_its_cluster(
    pod: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")

    with pytest.raises(SpecError, match="KUBERNETES_SERVICE_HOST is not set"):
        own_service_account()


def test_of_several_files_the_first_one_says_what_they_share(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = written(home / "a" / "first.yaml", "one", is_current=False)
    second = written(home / "b" / "second.yaml", "two", tokenFile="token")
    third = written(home / "third.yaml", "one", tokenFile="other")
    files = [first, home / "none.yaml", second, third]
    monkeypatch.setenv("KUBECONFIG", ":".join(map(str, files)))

    two, one = read_kubeconfig(None, None), read_kubeconfig(None, "one")

    assert two.context_name == "two"
    assert two.user is not None
    assert two.user.token_file == str(home / "b" / "token")  # beside the file that names it
    assert one.user is not None
    assert one.user.token_file is None


def test_a_broken_file_never_shows_its_content(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = home / "broken.yaml"
    home.mkdir()
    path.write_text("clusters: [\ntoken: s3cr3t")
    monkeypatch.setenv("KUBECONFIG", str(path))

    with pytest.raises(SpecError, match="it cannot be read") as caught:
        read_kubeconfig(None, None)
    assert "s3cr3t" not in str(caught.value)
