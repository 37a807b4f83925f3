"""What the Jobs of gates and switches run inside a cluster."""
