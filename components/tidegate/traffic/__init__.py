"""Moving traffic between revisions: what is routed, who routes it, how it is proved."""
