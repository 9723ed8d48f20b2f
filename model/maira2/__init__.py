"""MAIRA-2 on transformers 5: faithful to the official answer, quirks included.

The only home, beside `model.phantom`, of torch, transformers, safetensors and
tokenizers. Nothing in here runs code from a checkpoint folder.
"""

import logging

# transformers loads torchao wherever it is installed, and torchao then warns of GPU
# kernels that a CPU has no use for. Faults still come as exceptions.
for _name in ("torchao", "torch.utils._pytree"):
    logging.getLogger(_name).setLevel(logging.ERROR)
