"""The stacks that make a place for the state of all others."""

import json
from collections.abc import Callable

import pytest

from tests.cloud.harness.project import CloudProject

pytestmark = pytest.mark.cloud

KEPT = {
    "aws-state": {"aws:kms/key:Key", "aws:s3/bucket:Bucket"},
    "gcp-state": {
        "gcp:kms/cryptoKey:CryptoKey",
        "gcp:kms/keyRing:KeyRing",
        "gcp:storage/bucket:Bucket",
    },
}


@pytest.fixture(scope="module", params=sorted(KEPT))
def state(request: pytest.FixtureRequest, make_cloud: Callable[..., CloudProject]) -> CloudProject:
    project = make_cloud(stack=request.param)
    project.up(checkpoints=False)
    return project


def test_it_says_what_to_type(state: CloudProject) -> None:
    outputs = state.outputs()
    (bucket,) = state.cloud.objects(next(each for each in KEPT[state.stack] if "ucket" in each))
    (key,) = state.cloud.objects(next(each for each in KEPT[state.stack] if each.endswith("Key")))
    url, key_url = outputs["backendUrl"], outputs["keyUrl"]
    if state.stack == "aws-state":
        assert url == f"s3://{bucket.id}?region=us-east-1"
        assert key_url == f"awskms://{key.outputs['keyId']}?region=us-east-1"
    else:
        assert url == f"gs://{bucket.id}"
        assert key_url == f"gcpkms://{key.id}"
    assert outputs["login"] == f"pulumi login '{url}'"
    assert outputs["stackInit"] == f"pulumi stack init --secrets-provider '{key_url}' <stack>"


def test_it_is_versioned_encrypted_with_the_key_and_closed(state: CloudProject) -> None:
    if state.stack == "gcp-state":
        (bucket,) = state.cloud.objects("gcp:storage/bucket:Bucket")
        (crypto_key,) = state.cloud.objects("gcp:kms/cryptoKey:CryptoKey")
        assert bucket.inputs["versioning"] == {"enabled": True}
        assert bucket.inputs["encryption"] == {"defaultKmsKeyName": crypto_key.id}
        assert bucket.inputs["publicAccessPrevention"] == "enforced"
        assert bucket.inputs["uniformBucketLevelAccess"] is True
        return
    (versioning,) = state.cloud.objects("aws:s3/bucketVersioning:BucketVersioning")
    assert versioning.inputs["versioningConfiguration"]["status"] == "Enabled"
    (policy,) = state.cloud.objects("aws:s3/bucketPolicy:BucketPolicy")
    (statement,) = json.loads(policy.inputs["policy"])["Statement"]
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    (rule,) = state.cloud.objects(
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    )[0].inputs["rules"]
    (key,) = state.cloud.objects("aws:kms/key:Key")
    encryption = rule["applyServerSideEncryptionByDefault"]
    assert encryption == {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": key.outputs["arn"]}
    (closed,) = state.cloud.objects("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
    assert all(value is True for name, value in closed.inputs.items() if name != "bucket")


def test_what_holds_state_survives_a_destroy(state: CloudProject) -> None:
    assert not state.up(checkpoints=False).changes
    run = state.start("destroy", "--yes", "--skip-preview", "--stack", state.stack).wait()
    assert not run.succeeded
    assert "protected" in run.output
    state.unprotect()
    state.destroy(checkpoints=False)
    assert {each.type for each in state.cloud.objects()} == KEPT[state.stack]
