"""The prompts of MAIRA-2, word for word.

They are interoperability constants of the checkpoint: it was trained on exactly
these characters, double blanks included, and answers worse to any others. The only
verbatim text in this project.
"""

from model.report import Question, ReportInputs, Task

IMAGE = "<image>"
"""Stands for one image; the processor expands it to one token a patch."""
BEGIN, END = "<s>", "</s>"
"""Begin and end of text; the tokenizer puts the first in front by itself."""
NOT_AVAILABLE = "N/A"

_SYSTEM = (
    "You are an expert radiology assistant tasked with interpreting a chest X-ray "
    "study.  "
)
_USER = "USER:  {text}  "
_ASSISTANT = "ASSISTANT: "

_FRONTAL = f"Given the current frontal image only{IMAGE}"
_FRONTAL_LATERAL = (
    f"Given the current frontal image{IMAGE} and the current lateral image{IMAGE}"
)
_FRONTAL_PRIOR = (
    f"Given the current frontal image{IMAGE} and the prior frontal image{IMAGE}"
)
_FRONTAL_LATERAL_PRIOR = (
    f"Given the current frontal image{IMAGE} the current lateral image{IMAGE} "
    f"and the prior frontal image{IMAGE}"
)
_IMAGES = {
    (False, False): _FRONTAL,
    (True, False): _FRONTAL_LATERAL,
    (False, True): _FRONTAL_PRIOR,
    (True, True): _FRONTAL_LATERAL_PRIOR,
}
_PRIOR_REPORT = " PRIOR_REPORT: {report}"
_FINDINGS = (
    " Provide a description of the findings in the radiology study in comparison to "
    "the prior frontal image. "
)
_GROUNDING = (
    "Each finding should be described as a self-contained plain-text sentence. If "
    "the finding is groundable, locate the finding in the current frontal chest "
    "X-ray image, with bounding boxes indicating all locations where it can be seen "
    "in the current frontal image. Otherwise, generate just the ungrounded finding "
    "without bounding boxes. "
)
_SECTIONS = "INDICATION: {indication} TECHNIQUE: {technique} COMPARISON: {comparison}"
_PHRASE = (
    f"Given the current frontal image{IMAGE} Repeat the following finding as a "
    "grounded phrase with bounding boxes indicating all locations where it can be "
    "seen in the given chest X-ray image. Finding: {phrase}"
)


def prompt_text(question: Question) -> str:
    """Write the prompt up to where the model's answer begins.

    Images appear as `IMAGE` in the order of `prompt_images`. Blanks and line ends
    of free texts are kept.
    """
    user = _USER.format(text=_user_text(question))
    return f"{_SYSTEM}{user}{_ASSISTANT}"


def answered_text(question: Question, answer: str) -> str:
    """Write the prompt with a given answer and the end of text, as for training.

    For phrase grounding upstream drops a given answer together with the words that
    begin it; so does this.
    """
    user = _USER.format(text=_user_text(question))
    if question.task is Task.PHRASE_GROUNDING:
        return f"{_SYSTEM}{user}"
    return f"{_SYSTEM}{user}{_ASSISTANT}{answer}{END}"


def prompt_images(question: Question) -> tuple[str, ...]:
    """Name the inputs whose images the prompt shows, in its order.

    Phrase grounding looks at the current frontal image alone.
    """
    names = ("current_frontal", "current_lateral", "prior_frontal")
    if question.task is Task.PHRASE_GROUNDING:
        return names[:1]
    return tuple(name for name in names if getattr(question.inputs, name) is not None)


def _user_text(question: Question) -> str:
    if question.task is Task.PHRASE_GROUNDING:
        return _PHRASE.format(phrase=question.phrase)
    task = _FINDINGS
    if question.task is Task.GROUNDED_FINDINGS:
        task += _GROUNDING
    return _images_text(question.inputs) + task + _sections_text(question.inputs)


def _images_text(inputs: ReportInputs) -> str:
    """Name the images; a prior report without its image is dropped, as upstream."""
    with_prior = inputs.prior_frontal is not None
    text = _IMAGES[inputs.current_lateral is not None, with_prior]
    if not with_prior:
        return text
    return text + _PRIOR_REPORT.format(report=_section(inputs.prior_report))


def _sections_text(inputs: ReportInputs) -> str:
    return _SECTIONS.format(
        indication=_section(inputs.indication),
        technique=_section(inputs.technique),
        comparison=_section(inputs.comparison),
    )


def _section(text: str | None) -> str:
    """Return the text, or the checkpoint's word for none. Blanks alone are kept."""
    return text or NOT_AVAILABLE
