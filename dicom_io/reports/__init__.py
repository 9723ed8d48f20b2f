"""The report of a prior study: documents of many kinds -> one text."""
