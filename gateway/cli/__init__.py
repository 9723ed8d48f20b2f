"""The command line: a module a family of verbs; the only place that prints or exits."""
