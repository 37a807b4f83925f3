"""The signature that a golden set implies."""

from pathlib import Path
from typing import get_args

import numpy as np

from tidegate.spec.errors import SpecError
from tidegate.spec.signature import Datatype, ModelSignature, TensorSpec


def infer_signature(golden: Path, model: str, version: str) -> ModelSignature:
    """The signature a golden set implies; its first dimension is the batch.

    Raises SpecError when the file is no golden set.
    """
    tensors: dict[str, list[TensorSpec]] = {"input": [], "output": []}
    datatypes = {
        TensorSpec(name="-", datatype=datatype, shape=(1,)).dtype: datatype
        for datatype in get_args(Datatype)
    }
    try:
        with np.load(golden, allow_pickle=False) as archive:
            for key in archive.files:
                role, _, name = key.partition(":")
                if role in tensors:
                    array = archive[key]
                    tensors[role].append(
                        TensorSpec(
                            name=name,
                            datatype=datatypes[array.dtype],
                            shape=(-1, *array.shape[1:]),
                        )
                    )
        return ModelSignature(
            name=model,
            version=version,
            inputs=tuple(tensors["input"]),
            outputs=tuple(tensors["output"]),
        )
    except (OSError, ValueError, KeyError) as error:
        raise SpecError(
            "golden",
            str(golden),
            f"no signature can be read from it ({error})",
            "an .npz with arrays input:<name>, output:<name> and truth, and a model version >= 1",
        ) from None
