"""Benchmarks: one program per row, our figure beside a named peer's in the same run."""
