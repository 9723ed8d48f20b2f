"""The audit log of this gateway is kept: signed, handed out, verified, exported."""
