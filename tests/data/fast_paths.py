"""Golden cases through the fast paths, in batches; twice where prompts are kept."""

from pathlib import Path

from model.maira2.answering import Answerer, FastPaths
from model.maira2.configuration import read_config
from model.maira2.golden import case_folders, golden_question, read_case
from model.maira2.modeling import Attention
from model.maira2.preparing import Preparation
from model.maira2.processing import read_processor
from model.maira2.stopping import StopRule
from model.maira2.weights import Placement, load_model

PATHS = {
    "prefix": FastPaths(prefix_memory_bytes=2**30),
    "lookup": FastPaths(prompt_lookup=True),
    "fixed": FastPaths(backend="eager"),
    "all": FastPaths(prefix_memory_bytes=2**30, prompt_lookup=True, backend="eager"),
}
NEW_TOKENS = 32


def differing_cases(folder: Path, path: str, rows: int, attention: str) -> list[str]:
    """Name the golden cases whose greedy ids a fast path changes.

    Cases with a given answer are left out: no question has one.
    """
    checkpoint = folder / "checkpoint"
    processor = read_processor(checkpoint, read_config(checkpoint))
    model = load_model(checkpoint, Placement(attention=Attention(attention)))
    cases = [(place, read_case(place)) for place in case_folders(folder)]
    cases = [case for case in cases if "assistant_text" not in case[1]["inputs"]]
    preparation = Preparation(processor)
    end_id = processor.tokenizer.end_id
    rule = StopRule(end_id=end_id, max_new_tokens=NEW_TOKENS)
    answerer, differing = Answerer(model, PATHS[path]), []
    times = 2 if PATHS[path].prefix_memory_bytes else 1
    for start in [*range(0, len(cases), rows)] * times:
        batch = cases[start : start + rows]
        prompts = [
            preparation.prompt(golden_question(folder, case["inputs"]))
            for _, case in batch
        ]
        rules, features = [rule] * len(batch), answerer.features()
        answers = answerer.answer(prompts, rules, features)
        for (place, case), answer in zip(batch, answers, strict=True):
            wanted = [token for token in case["greedy_ids"] if token != end_id]
            if [*answer.generated.ids] != wanted:
                differing.append(place.name)
    return differing
