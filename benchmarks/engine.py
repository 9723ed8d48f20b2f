"""The engine beside transformers' own `generate`, in one run, ids compared.

A model of MAIRA-2's shape (518 px tower, four-layer projector, Llama) with random
weights made on the spot: small on a CPU, full size in bfloat16 with --device cuda.
The peer is `generate` of the same classes, one call a task, with its own caches and
the same attention code. Rounds alternate, medians count.
Usage: python -m benchmarks.engine [--device cuda] [--rounds 5] [--new 24]
       python -m benchmarks.engine --engine local,ray [--rounds 40]

The second form asks what a call costs beside the model's work (`engine_calls`).
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks import engine_calls
from benchmarks.rounds import Figure, Target, keep
from model.maira2.answering import Answerer, FastPaths
from model.maira2.configuration import Maira2Config
from model.maira2.modeling import Maira2ForConditionalGeneration
from model.maira2.prefix import PromptTokens
from model.maira2.preparing import PreparedImage, Prompt
from model.maira2.stopping import StopRule

Ids = list[tuple[int, ...]]
Run = Callable[[], Ids]
SMALL = {"hidden_size": 384, "intermediate_size": 1056, "num_hidden_layers": 8}
SMALL_VISION = {"hidden_size": 192, "num_hidden_layers": 6}
HEAD = 64
NO_END = -1
LEAST_RATIO = 2.0
"""Several questions about one image, on a CPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One comparison: the seconds of each round, and whether the ids are equal."""

    name: str
    peers: tuple[float, ...]
    own: tuple[float, ...]
    same: bool

    @property
    def peer(self) -> float:
        """The median."""
        return statistics.median(self.peers)

    @property
    def ours(self) -> float:
        """The median."""
        return statistics.median(self.own)

    @property
    def ratio(self) -> float:
        return self.peer / self.ours

    def line(self) -> str:
        same = "equal" if self.same else "DIFFER"
        return (
            f"| {self.name} | {self.peer:.3f} | {self.ours:.3f} | "
            f"{self.ratio:.2f}x | {same} |"
        )

    def figures(self) -> list[Figure]:
        """Return what is kept: both sides, and 1 for equal ids."""
        return [
            Figure(name=f"{self.name}, peer", unit="s", values=self.peers),
            Figure(name=f"{self.name}, ours", unit="s", values=self.own),
            Figure(name=f"{self.name}, ids", unit="equal", values=(float(self.same),)),
        ]


class Bench:
    """The model, the prompts and the two ways to answer them."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        self.device = torch.device(given.device)
        self.random = np.random.default_rng(0)
        self.model = make_model(given)
        side = self.model.config.image_size
        self.images = [self.image(side) for _ in range(8)]

    def image(self, side: int) -> PreparedImage:
        pixels = self.random.standard_normal((side, side)).astype(np.float32)
        return PreparedImage(pixels=pixels, digest=str(self.random.integers(2**62)))

    def words(self, count: int) -> list[int]:
        return [int(word) for word in self.random.integers(5, 30000, count)]

    def prompt(self, *parts: list[int] | PreparedImage) -> Prompt:
        ids: list[int] = []
        starts: list[int] = []
        shown = tuple(part for part in parts if isinstance(part, PreparedImage))
        patches = self.model.config.patches
        for part in parts:
            if isinstance(part, PreparedImage):
                starts.append(len(ids))
                ids += [self.model.config.image_token_id] * patches
            else:
                ids += part
        tokens = PromptTokens(
            ids=np.array(ids, dtype=np.int64),
            image_starts=tuple(starts),
            image_digests=tuple(image.digest for image in shown),
            image_tokens=patches,
        )
        return Prompt(text="", tokens=tokens, images=shown)

    @torch.inference_mode()
    def generate(self, prompts: Sequence[Prompt], new: int, **options: int) -> Ids:
        """The peer: one call a prompt."""
        answers: Ids = []
        for prompt in prompts:
            ids = torch.from_numpy(prompt.tokens.ids)[None].to(self.device)
            pixels = np.stack([image.pixels for image in prompt.images])[:, None]
            values = torch.from_numpy(pixels).to(self.device, self.model.dtype)
            made = self.model.generate(
                input_ids=ids,
                pixel_values=values.expand(-1, 3, -1, -1),
                attention_mask=torch.ones_like(ids),
                max_new_tokens=new,
                do_sample=False,
                **options,
            )
            answers.append(tuple(made[0, ids.shape[1] :].tolist()))
        return answers

    def answer(
        self, answerer: Answerer, prompts: Sequence[Prompt], new: int, rows: int
    ) -> Ids:
        """Ours: as the engine does, in batches of `rows`."""
        rule = StopRule(end_id=NO_END, max_new_tokens=new)
        features, answers = answerer.features(), []
        for start in range(0, len(prompts), rows):
            batch = prompts[start : start + rows]
            answers += answerer.answer(batch, [rule] * len(batch), features)
        return [answer.generated.ids for answer in answers]

    def answerer(self, *, lookup: bool = False) -> Answerer:
        backend = "inductor" if self.device.type == "cuda" else None
        paths = FastPaths(
            prefix_memory_bytes=6 * 2**30, prompt_lookup=lookup, backend=backend
        )
        return Answerer(self.model, paths)

    def compare(self, name: str, peer: Run, ours: Run) -> Row:
        """Run both in turn; the first round warms up where steps are compiled."""
        spent: dict[str, list[float]] = {"peer": [], "ours": []}
        answers: dict[str, Ids] = {}
        warm = 1 if self.device.type == "cuda" else 0
        for number in range(self.given.rounds + warm):
            for key, run in (("peer", peer), ("ours", ours)):
                started = time.perf_counter()
                answers[key] = run()
                if number >= warm:
                    spent[key].append(time.perf_counter() - started)
        row = Row(
            name=name,
            peers=tuple(spent["peer"]),
            own=tuple(spent["ours"]),
            same=answers["peer"] == answers["ours"],
        )
        print(row.line(), flush=True)
        return row


def make_model(given: argparse.Namespace) -> Maira2ForConditionalGeneration:
    """Draw random weights, on the device itself and in its format."""
    config = Maira2Config()
    if not given.full:
        for key, value in SMALL.items():
            setattr(config.text, key, value)
        for key, value in SMALL_VISION.items():
            setattr(config.vision, key, value)
        heads = SMALL["hidden_size"] // HEAD
        config.text.num_attention_heads = config.text.num_key_value_heads = heads
        config.text.head_dim = HEAD
        config.vision.num_attention_heads = SMALL_VISION["hidden_size"] // HEAD
        layers = SMALL_VISION["num_hidden_layers"]
        config.vision.stage_names = ["stem", *(f"stage{n + 1}" for n in range(layers))]
        config.vision.set_output_features_output_indices([f"stage{layers}"], None)
    config.text.initializer_range = 0.05
    config.text.bos_token_id, config.text.eos_token_id = 1, None
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float32 if given.device == "cpu" else torch.bfloat16)
    with torch.device(given.device):
        model = Maira2ForConditionalGeneration(config)
    torch.set_default_dtype(torch.float32)
    model.set_attn_implementation(given.attention)
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = 0
    model.eval()
    model.requires_grad_(requires_grad=False)
    return model


def measure(bench: Bench, new: int) -> dict[str, Row]:
    """Measure every figure; prompts have the lengths of MAIRA-2's."""
    frontal, lateral = bench.images[:2]
    begin, tail = [1, *bench.words(18)], bench.words(60)
    report = bench.prompt(begin, frontal, tail)
    both = bench.prompt(begin, frontal, bench.words(8), lateral, tail)
    ask = bench.words(30)
    phrases = [bench.prompt(begin, frontal, ask, bench.words(n)) for n in (8, 5, 9, 6)]
    studies = [
        bench.prompt(begin, image, bench.words(40 + place))
        for place, image in enumerate(bench.images[: bench.given.studies])
    ]
    rows = len(studies) if bench.device.type == "cuda" else 1
    tasks = 5 if bench.device.type == "cuda" else 1

    def pair(prompts: Sequence[Prompt], count: int, together: int) -> tuple[Run, Run]:
        held = bench.answerer() if bench.device.type == "cuda" else None

        def ours() -> Ids:
            answerer = held or bench.answerer()
            if held:
                held.forget()
            return bench.answer(answerer, prompts, count, together)

        return lambda: bench.generate(prompts, count), ours

    return {
        "prefill": bench.compare("prefill, one image", *pair([report], 1, 1)),
        "report": bench.compare(f"one report, {new} new", *pair([report], new, 1)),
        "five_tasks": bench.compare(
            "report + 4 phrases, one image", *pair([report, *phrases], new, tasks)
        ),
        "five_tasks_lateral": bench.compare(
            "report + 4 phrases, frontal + lateral",
            *pair([both, *phrases], new, tasks),
        ),
        "studies": bench.compare(
            f"{len(studies)} studies, {rows} at once", *pair(studies, new, rows)
        ),
        "lookup": lookup(bench, begin, frontal, new),
    }


def lookup(bench: Bench, begin: list[int], frontal: PreparedImage, new: int) -> Row:
    """Guesses where the prior report is what the model will say, the best case."""
    tail = bench.words(40)
    said = bench.generate([bench.prompt(begin, frontal, tail)], new)[0]
    prompt = bench.prompt(begin, frontal, list(said), tail)
    plain = bench.answerer()
    guessing = bench.answerer(lookup=True)
    for answerer in (plain, guessing):
        bench.answer(answerer, [prompt], 2, 1)
    return bench.compare(
        "prompt lookup, prefix known; against ours without",
        lambda: bench.answer(plain, [prompt], 2 * new, 1),
        lambda: bench.answer(guessing, [prompt], 2 * new, 1),
    )


def bandwidth_share(bench: Bench, rows: dict[str, Row], new: int) -> float | None:
    """Share of the floor of decoding: reading all weights once a token."""
    if bench.given.bandwidth is None:
        return None
    size = sum(p.nbytes for p in bench.model.model.language_model.parameters())
    size += bench.model.lm_head.weight.nbytes
    floor = size / (bench.given.bandwidth * 1e12)
    step = (rows["report"].ours - rows["prefill"].ours) / (new - 1)
    return float(floor / step)


def targets(rows: dict[str, Row]) -> list[Target]:
    """Return the bounds: on the time of several tasks, and on ids that differ."""
    tasks = rows["five_tasks"]
    what = f"{tasks.name}, time of the peer over ours"
    differing = sum(not row.same for row in rows.values())
    return [
        Target(what=what, reached=tasks.ratio, bound=LEAST_RATIO),
        Target(
            what="comparisons whose ids differ",
            reached=differing,
            bound=0,
            at_least=False,
        ),
    ]


def main(arguments: Sequence[str]) -> int:
    """Measure, print and keep; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--new", type=int, default=24)
    parser.add_argument("--studies", type=int, default=2)
    parser.add_argument("--attention", choices=("eager", "sdpa"), default="sdpa")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--bandwidth", type=float, help="of the device, TB/s")
    parser.add_argument("--engine", help="compare calls instead: local,ray")
    given, others = parser.parse_known_args(arguments)
    if given.engine:
        own = ["--engine", given.engine, "--rounds", str(given.rounds), *others]
        return engine_calls.main(own)
    if others:
        parser.error(f"what is {' '.join(others)}?")
    given.full = given.device == "cuda"
    torch.set_num_threads(given.threads)
    bench = Bench(given)
    size = sum(parameter.numel() for parameter in bench.model.parameters())
    print(
        f"{size / 1e6:.0f} M parameters, {bench.model.dtype}, {given.attention}\n"
        "| what | generate, s | ours, s | ratio | ids |\n|---|---|---|---|---|"
    )
    rows = measure(bench, given.new)
    per_token = {
        side: (getattr(rows["report"], side) - getattr(rows["prefill"], side))
        / (given.new - 1)
        for side in ("peer", "ours")
    }
    share = bandwidth_share(bench, rows, given.new)
    print(f"per token: {per_token['peer']:.4f} s, ours {per_token['ours']:.4f} s")
    figures = [figure for row in rows.values() for figure in row.figures()]
    figures += [
        Figure(name=f"a token, {side}", unit="s", values=(seconds,))
        for side, seconds in per_token.items()
    ]
    if share is not None:
        figures.append(Figure(name="bandwidth share", unit="", values=(share,)))
    keep("engine" if given.device == "cpu" else "engine_cuda", figures, targets(rows))
    return 0 if all(row.same for row in rows.values()) or given.full else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
