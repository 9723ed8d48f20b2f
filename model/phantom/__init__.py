"""Synthetic chest radiographs with planted findings, and the model that reads them.

A phantom is drawn from formulas and a seed: no patient was ever imaged. Its
findings are known exactly, so an answer can be checked. The modules follow the
way from a seed to the shipped checkpoint:

anatomy     the normal chest, frontal, as fields over the image plane
findings    what can be planted, and in which words it is described
lesions     how each finding looks on the frontal image, and its box
lateral     the same patient from the side
plan        which findings a patient has now and had before
generator   a seed -> images, findings with their boxes, and the study's texts
sentences   a finding -> its sentence, and back
text        a study -> the answer of each task in MAIRA-2's output form
tokenizer   the checkpoint's own small vocabulary
dataset     rendered phantoms, kept as arrays while a training runs
detection   the head and the loss that teach the encoder where findings are
reporting   prompts and true answers as token sequences
stages      the two stages of training
checkpoint  the shape of the model, and its folder in the official layout
train       runs both stages; writes the checkpoint folder
scoring     how an answer compares with what was planted
asking      the engine, asked about phantoms that the training never saw
sensitivity the same studies with other priors, and without their lateral
intervals   how far figures on a sample may be from the truth
evaluate    all figures, printed as one JSON object

Up to and with text, nothing needs torch or transformers.
"""
