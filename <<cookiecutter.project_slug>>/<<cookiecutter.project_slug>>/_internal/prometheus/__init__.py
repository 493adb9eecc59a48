"""Metrics of requests, and the port where they are served.

request_metrics     counts requests and WebSockets
scrape_server       serves the metrics
settings            types of the settings
"""
