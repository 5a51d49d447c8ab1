"""What runs where: tiles, replicas, buffers."""
