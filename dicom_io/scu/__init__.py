"""What we ask of other nodes, as Service Class User."""
