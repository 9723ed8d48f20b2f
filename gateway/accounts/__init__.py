"""People who may use the console: roles, passwords, sessions and tokens."""
