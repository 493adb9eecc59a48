"""Benchmarks: `make bench` measures the cost of logging and prints tables of ratios."""
