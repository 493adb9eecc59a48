"""What servers have in common: start, serve, graceful shutdown."""
