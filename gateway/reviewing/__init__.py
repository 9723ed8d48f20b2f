"""Reviewing the audit: questions, views, sentences, sign-off and exports.

Pages and the command line do the same by the same functions; whatever is shown of the
log is recorded in it.
"""
