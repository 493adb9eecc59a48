"""The Hypercorn server: start, serve, graceful shutdown."""
