"""Metrics: pure functions, one module a metric."""
