"""Serve with uvicorn: HTTP/1.1.

server          starts, serves and stops uvicorn
http            requests
websocket       WebSockets
"""
