"""`evaluate`: generated reports against reference reports, by RadFact."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.evaluate_sources import (
    FrameChoice,
    LayoutChoice,
    Places,
    read_pairing,
)
from gateway.cli.output import (
    NO,
    WRONG_USE,
    fail,
    print_json,
    print_line,
    print_table,
    quieten_libraries,
    waiting,
)
from gateway.cli.site import AsJson

if TYPE_CHECKING:
    from gateway.evaluation.endpoint import EndpointOptions
    from gateway.evaluation.output import About
    from gateway.evaluation.run import Evaluation
    from gateway.evaluation.self_test import SelfTest
    from model.radfact.judge import Judge


class JudgeChoice(StrEnum):
    """Who says what follows from what."""

    ENDPOINT = "endpoint"
    EXACT = "exact"
    PHANTOM = "phantom"


def evaluate(
    context: typer.Context,
    generated: Annotated[
        str,
        typer.Option(
            help="Folder that `process` wrote, CSV (study_id, text), JSON in RadFact's "
            "form, or `ledger`: the finished studies of this site."
        ),
    ],
    references: Annotated[
        str,
        typer.Option(
            help="Folder or file with reference reports, `received`: reports that "
            "were sent to this site, or `archive`: fetch them by C-GET."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for figures and page.")],
    layout: Annotated[
        LayoutChoice | None,
        typer.Option(help="How the references lie; default: by the kind of path."),
    ] = None,
    match: Annotated[
        Path | None,
        typer.Option(help="CSV (study_id, reference_id) where names differ."),
    ] = None,
    boxes: Annotated[
        FrameChoice,
        typer.Option(help="What boxes in RadFact's JSON are shares of."),
    ] = FrameChoice.IMAGE,
    judge: Annotated[
        JudgeChoice,
        typer.Option(help="A language model, equal words, or phantom statements."),
    ] = JudgeChoice.ENDPOINT,
    endpoint: Annotated[
        str,
        typer.Option(
            envvar="MAIRA_JUDGE_URL",
            help="Base URL of an OpenAI-compatible endpoint. The text of every report "
            "leaves to it, and to nothing else: use one inside the hospital.",
        ),
    ] = "",
    model: Annotated[
        str, typer.Option(envvar="MAIRA_JUDGE_MODEL", help="Model of the endpoint.")
    ] = "",
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds for one answer of the endpoint.")
    ] = 60.0,
    retries: Annotated[
        int, typer.Option(min=0, max=20, help="Further tries of a question.")
    ] = 3,
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Studies judged at the same time.")
    ] = 1,
    plain_http: Annotated[
        bool, typer.Option("--plain-http", help="Allow http:// beyond this machine.")
    ] = False,
    cache: Annotated[
        Path | None,
        typer.Option(help="Folder of kept answers; default: judge-cache in --out."),
    ] = None,
    accept_unfit_judge: Annotated[
        bool,
        typer.Option("--accept-unfit-judge", help="Go on after a bad self-test."),
    ] = False,
    samples: Annotated[
        int, typer.Option(min=0, max=100_000, help="Bootstrap samples; 0: none.")
    ] = 500,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
    with_text: Annotated[
        bool,
        typer.Option(
            "--with-text", help="Put sentences of reports (of patients) into the files."
        ),
    ] = False,
    no_page: Annotated[
        bool, typer.Option("--no-page", help="Write no page with plots.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare generated reports with reference reports: the measures of RadFact.

    The key of an endpoint is read from MAIRA_JUDGE_KEY. Ends with 1 where nothing
    could be scored.
    """
    quieten_libraries()
    from gateway.evaluation.endpoint import KEY_VARIABLE, EndpointOptions
    from gateway.evaluation.run import RunOptions, evaluate_pairs

    if judge is JudgeChoice.ENDPOINT and not (endpoint and model):
        fail("name --endpoint and --model, or say --judge exact", WRONG_USE)
    _demand_writable(out, page=not no_page)
    options = EndpointOptions(
        base_url=endpoint,
        model=model,
        key=os.environ.get(KEY_VARIABLE, ""),
        timeout_seconds=timeout,
        retries=retries,
        plain_http=plain_http,
    )
    asked = _judge(judge, options, cache or out / "judge-cache")
    pairing, about = read_pairing(
        context, Places(generated, references, match), layout, boxes
    )
    about = _told(about, asked, judge, with_text=with_text)
    with waiting("judging") as step:
        test = None
        if judge is JudgeChoice.ENDPOINT:
            test = _tested(asked, accept_unfit=accept_unfit_judge)
        wanted = RunOptions(bootstrap_samples=samples, seed=seed, workers=workers)
        run = evaluate_pairs(pairing, asked, wanted, step)
    run = replace(run, self_test=test)
    _print(run, _write(out, run, about, page=not no_page), as_json=as_json)
    if not run.scores:
        raise typer.Exit(NO)


def _demand_writable(out: Path, *, page: bool) -> None:
    """Refuse before any work what would fail after it."""
    from gateway.evaluation.plots import demand_matplotlib

    if page:
        demand_matplotlib()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"--out {out} cannot be made: {error.strerror}", WRONG_USE)
    if not os.access(out, os.W_OK | os.X_OK):
        fail(f"--out {out} cannot be written", WRONG_USE)


def _judge(choice: JudgeChoice, options: "EndpointOptions", cache: Path) -> "Judge":
    from model.radfact.judge import ExactJudge, PhantomJudge

    match choice:
        case JudgeChoice.EXACT:
            return ExactJudge()
        case JudgeChoice.PHANTOM:
            return PhantomJudge()
        case JudgeChoice.ENDPOINT:
            from gateway.evaluation.cache import AnswerCache
            from gateway.evaluation.endpoint import EndpointJudge, demand_safe_address

            demand_safe_address(options)
            return EndpointJudge(options, AnswerCache(cache))


def _tested(judge: "Judge", *, accept_unfit: bool) -> "SelfTest":
    from gateway.evaluation.self_test import demand_fit, run_self_test

    result = run_self_test(judge)
    if not accept_unfit:
        demand_fit(result)
    return result


def _told(
    about: "About", judge: "Judge", choice: JudgeChoice, *, with_text: bool
) -> "About":
    from gateway.evaluation.prompts import prompts_digest

    prompts = prompts_digest() if choice is JudgeChoice.ENDPOINT else None
    return replace(about, judge=judge.name, prompts=prompts, with_text=with_text)


def _write(
    out: Path, run: "Evaluation", about: "About", *, page: bool
) -> tuple[Path, ...]:
    from gateway.evaluation.output import write_file, write_results

    try:
        paths = write_results(out, run, about)
        if not page:
            return paths
        from gateway.evaluation.page import render_page

        body = render_page(run, about)
        write_file(out / "radfact.html", body, private=about.with_text)
    except OSError as error:
        fail(f"--out {out} cannot be written: {error.strerror}")
    return (*paths, out / "radfact.html")


def _print(run: "Evaluation", paths: tuple[Path, ...], *, as_json: bool) -> None:
    from gateway.evaluation.output import scores_of

    figures, pairing = scores_of(run), run.pairing
    if as_json:
        print_json({"scores": figures, "files": paths})
        return
    plain = {name: value for name, value in figures.items() if "/" not in name}
    print_table(
        ("MEASURE", "MEAN", "95 % FROM", "TO"),
        ((name, *_row(figures, name, value)) for name, value in plain.items()),
    )
    print_line(
        f"{len(pairing.without_reference)} generated reports without a reference, "
        f"{len(pairing.without_generated)} studies without a generated report, "
        f"{len(run.unscored)} not scored; they are listed in the files"
    )
    for path in paths:
        print_line(f"  {path}")


def _row(
    figures: Mapping[str, float | None], name: str, value: float | None
) -> Iterator[str | None]:
    yield None if value is None else f"{value:.4g}"
    for bound in ("p2.5th", "p97.5th"):
        found = figures.get(f"{name}/{bound}")
        yield None if found is None else f"{found:.4g}"
