"""MAIRA-2 on transformers 5: faithful to the official answer, quirks included.

The only home, beside `model.phantom`, of torch, transformers, safetensors and
tokenizers. Nothing in here runs code from a checkpoint folder.
"""
