"""Edited projects that are updated over two later versions of the template."""
