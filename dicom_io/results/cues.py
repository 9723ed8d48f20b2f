"""The words that keep a finding from being coded: denials, doubts, absences.

Lists of our own for a matcher in the manner of NegEx (Chapman et al., J Biomed
Inform 2001). Denied and doubtful lead to the same neutral code, so the lists are
sorted by where they reach and not by how certain they are. Phrases are written as
in `vocabulary`.
"""

_OTHER_DAY = tuple(
    f"{before} {day}"
    for before in ("to", "to the", "from", "from the", "since", "since the", "than the")
    for day in ("prior", "previous", "earlier", "old")
) + tuple(
    f"{day} {study}"
    for day in ("prior", "previous", "earlier")
    for study in ("study", "film", "radiograph", "exam", "examination", "image")
)

AHEAD = (
    # denied
    *("no", "not", "without", "zero", "never", "neither", "nor", "denies", "free of"),
    *("clear of", "devoid of", "negative for", "neg for", "absence of", "lack of"),
    *("rather than", "instead of", "fails to show", "failed to show", "nothing"),
    # other languages for "no", should a phrase not be English
    *("kein", "keine", "keinen", "ohne", "pas", "sans", "sin", "sem", "senza", "geen"),
    # doubted
    *("possible", "possibly", "possibility", "probable", "probably", "likely", "may"),
    *("might", "could", "would", "perhaps", "potential", "potentially", "presumed"),
    *("presumably", "question", "question of", "questionable", "suspect", "suspected"),
    *("suspicion", "suspicious for", "suspicious of", "concern", "concern for"),
    *("concerning for", "worrisome for", "suggest", "suggesting", "suggestive of"),
    *("suggestion of", "apparent", "appear to be", "query", "consistent with"),
    *("compatible with", "represent"),
    *("representing", "indeterminate", "borderline", "equivocal", "if"),
    *("differential", "rule out", "resembling", "such as", "favor"),
    # asked or remembered, not seen
    *("evaluate", "evaluation for", "evaluation of", "assess", "assessment for"),
    *("prior", "previous", "old", "earlier", "status post"),
    *("assessment of", "detection of", "indication", "limited for", "look for"),
    *("search for", "recommended", "risk of", "correlate", "history of"),
    *("resolution of", "clearing of"),
)
"""Reach to the end of their clause."""

AROUND = (
    *("resolved", "resolve", "cleared", "clearing", "resolution", "disappeared"),
    *("vanished", "gone", "removed", "removal", "extubated", "extubation", "withdrawn"),
    *("resected", "excised", "evacuated", "explanted", "absent", "none", "nil"),
    *("clear now", "now clear", "negative", "excluded"),
    *("excluding", "exclude", "exclusion", "ruled out"),
    *("unlikely", "doubtful", "improbable", "no longer", "uncertain", "unclear"),
    *("versus", "vs", "suggested", "cannot", "drained", "drainage", "inapparent"),
    *("reabsorbed", "absorbed", "re expanded", "reexpanded"),
    *("mimicking", "simulating", "artifact", "artefact", "artifactual", "in question"),
)
"""Reach to the next comma, and back to the start of their clause."""

BEHIND = (
    *("is possible", "are possible", "is suspected", "are suspected", "is questioned"),
    *("are questioned", "is questionable", "is probable", "if any", "if real"),
    *("if present", "be present", "also be present", "be considered", "be obscured"),
    *("be missed", "be hidden", "be masked", "be overlooked", "be difficult"),
    *("be suspected", "be questioned", "be there", "hard to", "difficult to"),
    *("in the differential", "probably present", "possibly present", "likely present"),
    # there on another day
    *("on the prior", "on prior", "on the previous", "on previous", "on the earlier"),
    *("seen previously", "noted previously", "present previously", "seen before"),
    *("present before", "noted before"),
    # what a shadow turns out to be
    *("vessel", "nipple", "summation", "overlapping", "superimposition"),
)
"""Reach back to the start of their clause."""

DOUBTS_AT_THE_END = frozenset(
    {"likely", "possible", "probable", "suspected", "questionable", "no", "perhaps"}
)
"""At the end of a clause these reach back: "effusion, likely"."""

NO_CUES = (
    *("not previously", "not seen previously", "not seen before", "not only"),
    *("not present previously", "not present before", "partial resolution"),
    *("near resolution", "near complete resolution", "nearly complete resolution"),
    *("incomplete resolution", "nearly resolved", "almost resolved"),
    *("nearly completely resolved", "almost completely resolved", "partially resolved"),
    *("largely resolved", "mostly resolved", "incompletely resolved"),
    *("partial clearing", "partially cleared", "nearly cleared", "some clearing"),
    *("mild clearing", "slight clearing", "incompletely cleared", "largely cleared"),
    *("not seen on the prior", "not seen on the previous"),
    *("than yesterday", "than before", "as before"),
    *("since yesterday", "from yesterday", "earlier today"),
    *("status post aortic", "status post mitral", "status post valve"),
    *_OTHER_DAY,
)
"""Hold a cue and are none: what is nearly resolved is still there."""

FILLERS = frozenset(
    {"significant", "significantly", "interval", "appreciable", "appreciably", "been"}
    | {"substantial", "substantially", "relevant", "definite", "definitely", "yet"}
    | {"major", "obvious", "further", "clearly", "well", "much", "fully", "completely"}
    | {"entirely", "any", "clinically", "other", "markedly"}
)
"""Words that may stand between a denial and what it denies."""
CHANGES = {
    "not": frozenset(
        {"changed", "increased", "decreased", "improved", "progressed", "worsened"}
        | {"resolved", "cleared", "removed", "moved", "grown", "calcified"}
        | {"loculated", "cavitated", "displaced"}
    )
}
CHANGES["no"] = CHANGES["without"] = frozenset(
    {"change", "increase", "decrease", "improvement", "progression", "worsening"}
    | {"growth", "difference"}
)
"""What a denial denies instead of the finding: "no change in the effusion"."""
BREAKS = (
    *("but", ";", "except", "except for", "other than", "apart from", "aside from"),
    *("with the exception of", ", there", "and there", ", and there"),
)
"""Begin a new clause."""

LOOSE_BREAKS = ("however", "although", "though", "while", "whereas", "despite")
"""Begin a new clause too, unless a cue is left without its finding by it."""
