"""What the model reads: views, prior, texts, and why each was chosen."""
