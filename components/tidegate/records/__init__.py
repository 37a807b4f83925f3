"""What gates, switches and drains of a cluster write down: ConfigMaps and their documents."""
