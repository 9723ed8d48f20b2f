"""Tables, named queries, unit of work and compare-and-set moves."""
