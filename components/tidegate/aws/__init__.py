"""GPU clusters on AWS: EKS, node pools with their fabric, storage, identity and keys.

Import components from their modules, as in `from tidegate.aws.gpu_cluster import GpuCluster`: this
package does not load the cloud's SDK for those who need less.
"""
