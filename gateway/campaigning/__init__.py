"""Campaigns: cohorts that are brought from the archive and read off-peak."""
