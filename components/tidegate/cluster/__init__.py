"""Talking to a Kubernetes API server: objects, records, leases. Knows nothing of Pulumi."""
