"""`evaluate`: generated reports against reference reports, by RadFact.

`sources`, `generated`, `readers` and `received` bring the reports, `run` pairs and
scores them, `endpoint` asks a language model, `output` and `page` write.
"""
