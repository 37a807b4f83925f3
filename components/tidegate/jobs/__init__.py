"""Jobs of a cluster that carry out gates, switches and drains: as objects, and as they run."""
