"""What takes longer than CI has: `make e2e-full` runs it, beside `tests/e2e`."""
