"""Where priors, reports and orders come from."""
