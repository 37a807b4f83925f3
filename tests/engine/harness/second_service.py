"""A second service beside digits: the same models under another name."""

from pathlib import Path

from tests.engine.harness.releases import SERVICE
from tidegate.spec.digests import digest_bytes
from tidegate.spec.publishing import publish
from tidegate.spec.release import Release, Repository, load_release
from tidegate.spec.triton_config import config_pbtxt


def publish_for(serving_root: Path, service: str, name: str) -> Release:
    """Publish `digits@<name>` as `<service>@<name>`, its model named after the service."""
    good = load_release(serving_root, SERVICE, name)
    signature = good.model.model_copy(update={"name": service})
    source = serving_root / good.repository.path
    folder = f"models/{service}/{name}"
    files: dict[str, bytes] = {}
    for path in good.repository.files:
        content = (source / path).read_bytes()
        if path.endswith("config.pbtxt"):
            content = config_pbtxt(signature, good.settings).encode()
        files[path.replace(f"{SERVICE}/", f"{service}/", 1)] = content
    golden_path = f"golden/{service}/{name}.npz"
    release = good.model_copy(
        update={
            "service": service,
            "models": (signature, *good.models[1:]),
            "repository": Repository(
                path=folder, files={path: digest_bytes(data) for path, data in files.items()}
            ),
            "golden": good.golden.model_copy(update={"path": golden_path}),
        }
    )
    golden = (serving_root / good.golden.path).read_bytes()
    everything = {f"{folder}/{path}": data for path, data in files.items()}
    publish(serving_root, release, {**everything, golden_path: golden})
    return release
