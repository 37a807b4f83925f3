"""`pulumi-resource-tidegate`: the provider for what must act at deployment time."""
