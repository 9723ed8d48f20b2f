"""Words by which a report speaks of change since an earlier image. Pure.

A sentence is first freed of uses that look alike and mean something else
(`_OTHER_USES`); a word of `_CHANGE` that is left speaks of change, also where it is
negated: "no new opacity" has compared too. Where a word mostly tells a state
("increased density", "enlarged heart"), it counts only in a form that tells a
course ("density has increased", "increased effusion", "has enlarged").
"""

import re

_STATES = (
    r"density|densities|opaci\w+|lucen\w+|attenuation|markings?|interstiti\w+"
    r"|bronchovascular|vascular\w*|peribronchial|perihilar|reticula\w*|retrosternal"
    r"|lung volumes?|volumes?|inspiration|aeration|translucency|radiolucency|kyphosis"
    r"|(?:ap|anteroposterior) diameter|cardiothoracic|calib(?:er|re)|sclerosis|risk"
)
"""What is called increased or decreased by comparison with normal."""
_OTHER_SIDE = (
    r"(?:that (?:on|of|in) )?(?:the )?(?:right|left|contralateral|opposite|other)"
)
_PLACE = r"(?:right|left|opposite|other|upper|lower|mid\w*|apex|apices|bases?)"
_IMAGE = (
    r"(?:stud(?:y|ies)|exam\w*|radiographs?|films?|x-?rays?|images?|imaging|ct"
    r"|frontal|views?)"
)

_OTHER_USES = (
    # of the patient, not of the image
    r"(?:ha?emodynamically|clinically|medically|neurologically) stable",
    r"new york heart",
    # that there is nothing to compare with is right to say
    (
        r"(?:no|without)(?: \w+){0,2} (?:comparisons?|priors?|previous)"
        rf"(?: (?:chest )?{_IMAGE})?(?: (?:is|are|was|were))?"
        r"(?: (?:available|provided|submitted))?(?: for comparison)?"
    ),
    r"comparison:? (?:is |was )?(?:none|not available|unavailable|n/?a)",
    # one side or place of this image against another
    rf"compar\w+ (?:to|with) {_OTHER_SIDE}",
    (
        r"(?:larger|smaller|bigger|worse|more|less)\b[^.;,]{0,30}?"
        rf"\b(?:than|on|in|at|within|towards?) (?:that (?:on|of) )?(?:the )?{_PLACE}"
    ),
    r"(?:larger|smaller) of",
    rf"similar to {_OTHER_SIDE}",
    # advice, possibility, names of diseases
    r"(?:short|short-term|close|\w+[- ](?:day|week|month|year))[- ]+intervals?",
    r"interval follow-?\s?up",
    r"remains? (?:a |in the |of )?(?:possib\w+|consider\w+|differential|concern)",
    r"progressive (?:massive fibrosis|systemic sclerosis)",
    # but "has increased in density" tells a course
    (
        r"(?<!has )(?<!have )(?:in|de)creased? (?:in )?"
        rf"(?:\w+ ){{0,2}}?(?:{_STATES})"
    ),
)

_CHANGE = (
    # as before
    r"unchanged|unaltered|stable|no longer|(?:once )?again|remain(?:s|ed)?",
    r"persist(?:s|ed|ent|ently|ing)?|re-?demonstrat\w+|re-?identified",
    # the singular: "no degenerative changes" tells a state
    (
        r"(?:no|without)(?: (?:significant|substantial|relevant|appreciable|definite"
        r"|interval|obvious|acute|overall|large|major|important|other))* change"
    ),
    r"similar (?:in )?(?:size|extent|appearance|position|configuration|compared|to)",
    # there before, or not there before
    r"new|newly|(?:has|have) developed|development of|resolv(?:ed|ing)|resolution of",
    r"cleared|clearing|extubated|extubation",
    (
        r"(?:has|have) (?:since )?been"
        r" (?:removed|repositioned|replaced|exchanged|advanced|withdrawn)"
    ),
    # more or less than before
    r"increas(?:ed|ing|e in)|decreas(?:ed|ing|e in)|larger|smaller|bigger",
    r"(?:has|have) (?:enlarged|grown)|enlarging|stability",
    r"wors(?:e|ened|ening)|improv(?:ed|ing|ement)",
    r"progress(?:ed|ing|ion|ive)|regress(?:ed|ing|ion)|changed",
    r"(?:more|less) (?:conspicuous|prominent|pronounced|apparent|extensive)",
    # the comparison itself
    r"interval|previously|comparison|compared|(?:than|as) (?:before|yesterday)",
    rf"(?:prior|previous|preceding|earlier|last|old) (?:chest )?{_IMAGE}",
    r"since (?:the )?(?:prior|previous|last|earlier|yesterday|admission)",
)

_ELSEWHERE = re.compile(rf"\b(?:{'|'.join(_OTHER_USES)})\b", re.IGNORECASE)
_SPOKEN = re.compile(rf"\b(?:{'|'.join(_CHANGE)})\b", re.IGNORECASE)


def words_of_change(sentence: str) -> tuple[str, ...]:
    """Return what speaks of change, lowercase, in order, each once.

    Empty where the sentence describes one image.
    """
    heard = _SPOKEN.findall(_ELSEWHERE.sub(" | ", sentence))
    return tuple(dict.fromkeys(" ".join(words.lower().split()) for words in heard))
