"""Synthetic chest radiographs with planted findings, and the checkpoint that reads them.

A phantom is drawn from formulas and a seed: no patient was ever imaged. Its
findings are known exactly, so an answer can be checked. The modules follow the
way from a seed to the shipped checkpoint:

anatomy     the normal chest, frontal, as fields over the image plane
findings    what can be planted, and the field that each one darkens or brightens
lateral     the same patient from the side
generator   a seed -> images, findings with their boxes, and the study's texts
sentences   a finding -> its sentence, and back
text        a study -> the answer of each task in MAIRA-2's output form
tokenizer   the checkpoint's own small vocabulary
detection   the first stage of training: an encoder that finds the findings
dataset     rendered phantoms, kept as arrays while a training runs
train       both stages; writes the checkpoint folder
evaluate    figures on phantoms that the training never saw

The first seven need neither torch nor transformers (the tokenizer: tokenizers).
"""
