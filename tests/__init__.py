"""The tests of the template: what it refuses, what it renders, and how the result serves."""
