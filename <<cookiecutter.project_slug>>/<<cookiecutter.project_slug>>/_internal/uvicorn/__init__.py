"""Serve with uvicorn: HTTP/1.1.

server          starts, serves and stops uvicorn
accepting       accepts connections on any event loop
http            requests
websocket       WebSockets
"""
