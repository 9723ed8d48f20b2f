"""Stored pixel data -> pictures, decoded in a limited child process."""
