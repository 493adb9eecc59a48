"""The service: `main.py` wires it, `routers/` has its routes."""
