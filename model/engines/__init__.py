"""The report engines. Each keeps the careful rules above the faithful model."""
