"""Names of images without a registry: on a cluster that tidegate made they are in its own."""


def needs_registry(image: str) -> bool:
    """Docker Hub's own images have such names too; none of them is a runner or a Triton."""
    return "/" not in image


def in_registry(registry: str, image: str) -> str:
    return f"{registry}/{image}"
