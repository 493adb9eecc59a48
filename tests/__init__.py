"""Tests of the template: refused answers, rendered projects and running services."""
