"""What logging costs: `make bench` measures it in one run and prints tables of ratios."""
