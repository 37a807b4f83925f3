"""Images of the cluster's own registry, whose address may be unknown at the first preview."""

from typing import Any

import pulumi

from tidegate.spec.image_names import in_registry, needs_registry


def located(image: str, registry: pulumi.Input[str] | None) -> pulumi.Input[str]:
    """Where nodes pull it from: as it is named, or from the registry when it names none."""
    if registry is None or not needs_registry(image):
        return image
    return pulumi.Output.from_input(registry).apply(lambda found: in_registry(found, image))


def with_located_images(content: Any, registry: pulumi.Input[str] | None) -> Any:
    """A manifest, or a part of one, in which every container's image is located."""
    if isinstance(content, list):
        return [with_located_images(each, registry) for each in content]
    if not isinstance(content, dict):
        return content
    return {
        key: located(value, registry)
        if key == "image" and isinstance(value, str)
        else with_located_images(value, registry)
        for key, value in content.items()
    }
