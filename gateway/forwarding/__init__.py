"""The audit handed on to repositories by syslog: stored first, forwarded later."""
