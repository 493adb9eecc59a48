"""Helpers for reports on requests.

route       the route template of a request
version     the version of the service
"""
