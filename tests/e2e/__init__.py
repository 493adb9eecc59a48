"""Tests that install, build or serve something first."""
