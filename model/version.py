"""The one place of the product's version."""

VERSION = "0.1.0"
