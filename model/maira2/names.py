"""Names of the tensors: in the official snapshot, and in this model.

One table serves our own loader and the library's: it is registered with the
library's conversion mapping, which reads each row as a pattern at the start of the
name. The tower's attention is renamed there by the library itself, since its own
class is registered with it.
"""

_PREFIXES = (
    ("language_model.model.", "model.language_model."),
    ("language_model.lm_head.", "lm_head."),
    ("vision_tower.", "model.vision_tower."),
    ("multi_modal_projector.", "model.multi_modal_projector."),
)
"""Beginning of a name: official, here."""
_ATTENTION = (
    (".attention.attention.query.", ".attention.q_proj."),
    (".attention.attention.key.", ".attention.k_proj."),
    (".attention.attention.value.", ".attention.v_proj."),
    (".attention.output.dense.", ".attention.o_proj."),
)
"""Part of a name in the tower: official, transformers 5."""


def renamed_prefixes() -> tuple[tuple[str, str], ...]:
    """Return the beginnings of names: official, here."""
    return _PREFIXES


def official_name(name: str) -> str:
    """Translate a name of our state dict to the snapshot's."""
    for theirs, ours in _PREFIXES:
        if name.startswith(ours):
            name = theirs + name.removeprefix(ours)
            break
    if name.startswith("vision_tower."):
        for theirs, ours in _ATTENTION:
            name = name.replace(ours, theirs)
    return name
