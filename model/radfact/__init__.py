"""RadFact (arXiv 2406.04449): a generated report against a reference report.

`values` what is compared, `judge` who says what follows from what, `arithmetic`
the six measures, `bootstrap` their intervals over studies.
"""
