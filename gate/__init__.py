"""The project's own checks; `make check` runs them all, then their self-test."""
