"""Tests that first install packages, build images or start servers."""
