"""Alembic's folder: how a ledger of any earlier version comes up to date."""
