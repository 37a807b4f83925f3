"""The cluster under services whose stack did not make it."""

from settings import Settings, SettingsError
from settings_model import settings_key
from tidegate.kubernetes.cluster_outputs import ClusterOutputs, outputs_of_stack
from tidegate.spec.errors import SpecError


async def cluster_of_another_stack(settings: Settings, stack_file: str) -> ClusterOutputs | None:
    """None without `clusterStack`. Raises SettingsError for outputs that no services can run on."""
    platform = settings.kubernetes
    if platform is None or platform.cluster_stack is None:
        return None
    key = f"{stack_file}: {settings_key('platform', 'kubernetes')}"
    try:
        outputs = await outputs_of_stack(platform.cluster_stack)
    except SpecError as error:
        raise SettingsError([f"{key}.{error}"]) from error
    if platform.evidence is None and outputs.release_bucket_url is None:
        raise SettingsError(
            [
                f"{key}.evidence: is missing, and {platform.cluster_stack} has no output "
                "`releaseBucketUrl`. Instead: add it, or storage.cold to that stack's cluster."
            ]
        )
    return outputs
