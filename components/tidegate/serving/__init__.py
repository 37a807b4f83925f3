"""The service that users meet, whatever platform carries it."""

from tidegate.serving.inference_service import InferenceService, InferenceServiceArgs
from tidegate.serving.platform import Platform, Slot

__all__ = ["InferenceService", "InferenceServiceArgs", "Platform", "Slot"]
