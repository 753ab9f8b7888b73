"""Benchmarks: ratios measured side by side on one machine, never asserted on. `make bench` runs them."""
