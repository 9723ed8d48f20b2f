"""A gateway at work: put together at a start, kept going, ended at a stop."""
