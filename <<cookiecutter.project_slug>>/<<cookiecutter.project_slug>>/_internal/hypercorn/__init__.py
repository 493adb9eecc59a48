"""Serve with Hypercorn: HTTP/1.1 and HTTP/2.

server                  starts, serves and stops Hypercorn
patches                 replaces classes of Hypercorn 0.18 by these:
connection              connections
http1                   HTTP/1.1
http2                   HTTP/2
http_streams            requests
websocket_streams       WebSockets
inbox                   bodies on their way to the application
"""
