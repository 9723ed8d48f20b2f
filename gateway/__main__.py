"""`python -m gateway`: the command line where no console script is installed."""

from gateway.cli.verbs import main

main()
