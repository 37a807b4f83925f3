"""The commands of a stack whose platform is a cluster."""
