"""What others send and ask of us: instances made durable, and commitment to them."""
