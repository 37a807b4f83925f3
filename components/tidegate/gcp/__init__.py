"""GPU clusters on Google Cloud: GKE, the GPUs' networks, storage, identity and keys.

Import components from their modules, as in `from tidegate.gcp.gpu_cluster import GpuCluster`: the
cloud's SDK takes seconds to load, so this package does not load it for those who need less.
"""
