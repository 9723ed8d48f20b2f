"""One self-contained page about an evaluation: no script, nothing from elsewhere."""

from collections.abc import Iterator, Sequence
from math import isnan

from gateway.evaluation.markup import Content, Markup, element, join, table
from gateway.evaluation.output import NOTICE, About
from gateway.evaluation.plots import plot_means, plot_studies, words_of
from gateway.evaluation.run import Evaluation
from model.radfact.values import SIX_MEASURES, JudgedSentence, StudyScore

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; color: #1c1c1c; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; vertical-align: top;
  border-bottom: 1px solid #ddd; overflow-wrap: anywhere; }
th { overflow-wrap: normal; }
td:first-child { min-width: 9rem; }
.notice { background: #fff3cd; border-left: 5px solid #b58900; padding: .6rem 1rem; }
.bad { background: #fde2e1; border-left: 5px solid #b3261e; padding: .6rem 1rem; }
svg { max-width: 100%; height: auto; }
"""


def render_page(run: Evaluation, about: About) -> str:
    """Return the page; sentences of reports stand on it only with text."""
    body = element(
        "body",
        element("h1", "RadFact evaluation"),
        element("p", NOTICE, class_="notice"),
        *_warnings(run, about),
        element("h2", "Figures"),
        _figures(run),
        plot_means(_means(run), run.spreads),
        element("h2", "Studies"),
        plot_studies(_by_measure(run.scores)),
        _counts(run),
        *_absences(run),
        element("h2", "How this was made"),
        _about(run, about),
        *(_sentences(run) if about.with_text else ()),
    )
    head = element(
        "head",
        Markup('<meta charset="utf-8">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        element("title", "RadFact evaluation"),
        element("style", Markup(_STYLE)),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en').html}\n"


def _warnings(run: Evaluation, about: About) -> Iterator[Markup]:
    if run.failed_calls:
        yield element(
            "p",
            f"The judge failed {run.failed_calls} questions; each counts as not "
            "entailed, so the figures are lower than they may be.",
            class_="bad",
        )
    if run.self_test is not None and run.self_test.wrong:
        test = run.self_test
        said = f"The judge got {len(test.wrong)} of {test.asked} known answers wrong."
        yield element("p", said, class_="bad")
    if about.with_text:
        said = "This page holds text of reports, which may concern patients."
        yield element("p", said, class_="bad")


def _means(run: Evaluation) -> dict[str, float]:
    six = {name: getattr(run.means, name) for name in SIX_MEASURES}
    return six | dict(run.f1)


def _figures(run: Evaluation) -> Markup:
    def row(name: str, mean: float) -> tuple[str, str, str]:
        spread = run.spreads.get(name)
        interval = "-"
        if spread is not None and not isnan(spread.low):
            interval = f"{spread.low:.3f} to {spread.high:.3f}"
        return words_of(name), _shown(mean), interval

    rows = [row(name, mean) for name, mean in _means(run).items()]
    return table(("measure", "mean", "95 % interval"), rows)


def _by_measure(scores: Sequence[StudyScore]) -> dict[str, list[float]]:
    return {
        name: [getattr(score.measures, name) for score in scores]
        for name in SIX_MEASURES
    }


def _counts(run: Evaluation) -> Markup:
    pairing = run.pairing
    rows: list[tuple[str, int]] = [
        ("studies scored", len(run.scores)),
        ("studies not scored", len(run.unscored)),
        ("generated reports without a reference", len(pairing.without_reference)),
        ("studies without a generated report", len(pairing.without_generated)),
        ("questions that the judge failed", run.failed_calls),
    ]
    return table(("count", "number"), rows)


def _absences(run: Evaluation) -> Iterator[Markup]:
    listed = (
        ("Not scored", run.unscored),
        ("Without a reference", run.pairing.without_reference),
        ("Without a generated report", run.pairing.without_generated),
    )
    for title, absent in listed:
        if absent:
            yield element("h3", title)
            rows = [(each.study_id, each.reason) for each in absent]
            yield table(("study", "reason"), rows)


def _about(run: Evaluation, about: About) -> Markup:
    test = run.self_test
    models = "; ".join(f"{name}, weights {digest}" for name, digest in about.models)
    boxes = "compared" if run.pairing.has_boxes else "not compared: one side has none"
    answered = f"{test.asked - len(test.wrong)} of {test.asked} right" if test else None
    rows: list[tuple[str, Content]] = [
        ("judge", about.judge),
        ("self-test of the judge", answered or "not run"),
        ("digest of the prompts", about.prompts or "-"),
        ("model that generated", models or "not known"),
        ("generated reports", about.generated),
        ("reference reports", about.references),
        ("boxes", boxes),
        (
            "bootstrap",
            f"{run.options.bootstrap_samples} samples, seed {run.options.seed}",
        ),
        ("command", element("code", about.command)),
        ("version", about.version),
        ("time", about.at.isoformat(timespec="seconds")),
    ]
    return table(("", ""), rows)


def _sentences(run: Evaluation) -> Iterator[Markup]:
    yield element("h2", "Sentences")
    for score in run.scores:
        rows = [
            *(_row("generated", each, score.reference) for each in score.candidate),
            *(_row("reference", each, score.candidate) for each in score.reference),
        ]
        inner = join([element("summary", score.study_id), _verdicts(rows)])
        yield element("details", inner)


def _verdicts(rows: Sequence[tuple[str, str, str, str]]) -> Markup:
    return table(("side", "sentence", "verdict", "evidence"), rows)


def _row(
    side: str, judged: JudgedSentence, other: Sequence[JudgedSentence]
) -> tuple[str, str, str, str]:
    verdict = judged.verdict
    said = "entailed" if verdict.entailed else "not entailed"
    if judged.sentence.boxes:
        said += f", {judged.spatial.value.replace('_', ' ')}"
    if verdict.failure is not None:
        said += f" (failed: {verdict.failure})"
    evidence = " ".join(other[place].sentence.text for place in verdict.evidence)
    return side, judged.sentence.text, said, evidence


def _shown(value: float) -> str:
    return "-" if isnan(value) else f"{value:.3f}"
