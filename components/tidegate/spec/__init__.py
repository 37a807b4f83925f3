"""Plain, frozen data and its rules. Imports no Pulumi."""
