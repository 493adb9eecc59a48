"""Helpers for reports on requests.

route       the route template of a request
"""
