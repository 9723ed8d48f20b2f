"""How the gateway stands, for who watches it: health, metrics, peers."""
