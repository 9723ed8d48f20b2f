"""What other nodes ask of us, as Service Class Provider."""
