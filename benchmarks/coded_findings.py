"""How well sentences are coded: precision and recall on the written set.

`tests/data/coded_sentences.csv` holds each sentence with what a reader makes of it;
docs/coded-findings.md says how it was written.
Usage: python -m benchmarks.coded_findings
"""

import csv
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dicom_io.results.coding import MAPPING_VERSION, NEUTRAL, Coding, code_sentence

SENTENCES = Path(__file__).parents[1] / "tests" / "data" / "coded_sentences.csv"
NOT_STATED = frozenset({"absent", "uncertain", "normal"})
"""Readings of sentences that state no finding: any code is a negation error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """One row: the text and the meanings of the codes that it should get.

    finding, laterality : None where there should be none. sites : meanings.
    """

    part: str
    reading: str
    text: str
    finding: str | None
    sites: tuple[str, ...]
    laterality: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Counts of one thing: what was given, what should be, and what is both."""

    given: int
    expected: int
    right: int

    def __str__(self) -> str:
        """Return precision and recall with their counts."""
        precision = self.right / self.given if self.given else 1.0
        recall = self.right / self.expected if self.expected else 1.0
        return (
            f"precision {precision:.3f} ({self.right} of {self.given})  "
            f"recall {recall:.3f} ({self.right} of {self.expected})"
        )


def read_sentences() -> list[Sentence]:
    """Return the written set."""
    with SENTENCES.open(encoding="utf-8", newline="") as lines:
        return [
            Sentence(
                part=row["part"],
                reading=row["reading"],
                text=row["sentence"],
                finding=row["finding"] or None,
                sites=tuple(row["sites"].split("+")) if row["sites"] else (),
                laterality=row["laterality"] or None,
            )
            for row in csv.DictReader(lines)
        ]


def finding_of(coding: Coding) -> str | None:
    """Return the meaning of the finding, None where it is neutral."""
    return None if coding == NEUTRAL else coding.finding.meaning


def sites_of(coding: Coding) -> tuple[str, ...]:
    """Return the meanings of the sites."""
    return tuple(site.meaning for site in coding.sites)


def laterality_of(coding: Coding) -> str | None:
    """Return the meaning of the laterality."""
    return coding.laterality.meaning if coding.laterality else None


def score(
    sentences: Sequence[Sentence],
    given: Callable[[Coding], object],
    expected: Callable[[Sentence], object],
) -> Score:
    """Compare one thing of the codings with what it should be."""
    pairs = [(given(code_sentence(s.text)), expected(s)) for s in sentences]
    return Score(
        given=sum(bool(got) for got, _ in pairs),
        expected=sum(bool(wanted) for _, wanted in pairs),
        right=sum(bool(got) and got == wanted for got, wanted in pairs),
    )


def scores(sentences: Sequence[Sentence]) -> dict[str, Score]:
    """Return the scores of finding, site and laterality."""
    return {
        "finding": score(sentences, finding_of, lambda s: s.finding),
        "site": score(sentences, sites_of, lambda s: s.sites),
        "laterality": score(sentences, laterality_of, lambda s: s.laterality),
    }


def negation_errors(sentences: Sequence[Sentence]) -> list[Sentence]:
    """Return the sentences that state no finding and got the code of one."""
    return [
        sentence
        for sentence in sentences
        if sentence.reading in NOT_STATED and code_sentence(sentence.text) != NEUTRAL
    ]


def main() -> int:
    """Print the figures of each part; return the exit code."""
    print(f"mapping {MAPPING_VERSION}")
    every = read_sentences()
    for part in ("held-out", "development"):
        sentences = [sentence for sentence in every if sentence.part == part]
        unstated = sum(sentence.reading in NOT_STATED for sentence in sentences)
        print(f"{part}: {len(sentences)} sentences")
        for name, figures in scores(sentences).items():
            print(f"  {name:<11}{figures}")
        errors = negation_errors(sentences)
        print(f"  negation errors {len(errors)} of {unstated}")
    for sentence in every:
        report_difference(sentence)
    return 1 if negation_errors(every) else 0


def report_difference(sentence: Sentence) -> None:
    """Print a sentence whose codes are not those of its reader."""
    coding = code_sentence(sentence.text)
    got = (finding_of(coding), sites_of(coding), laterality_of(coding))
    if got != (sentence.finding, sentence.sites, sentence.laterality):
        print(f"  {sentence.part}: {sentence.text!r} got {got}")


if __name__ == "__main__":
    sys.exit(main())
