"""ASGI: the request log, trusted proxies, lifespan and readiness."""
