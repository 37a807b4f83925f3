"""From objects of an API server to one sentence about what keeps pods from being ready."""
