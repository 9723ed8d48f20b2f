import subprocess
import sys

from model.options import EngineOptions, TokenLimits


def test_token_limits_are_those_of_the_model_card() -> None:
    limits = TokenLimits()
    assert (limits.findings, limits.grounded_findings) == (300, 450)
    assert limits.phrase_grounding == 150


def test_the_default_checkpoint_is_the_packaged_phantom() -> None:
    assert EngineOptions().checkpoint.parts[-2:] == ("phantom", "checkpoint")


def test_the_contracts_of_the_model_load_without_torch() -> None:
    code = (
        "import sys, model.options, model.report, model.engine, model.grounding; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
