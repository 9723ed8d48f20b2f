"""What people are shown of studies and may decide; for command line and pages."""
