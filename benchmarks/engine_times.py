"""How long a GPU reads studies with MAIRA-2, calculated: nothing here was measured.

Decoding is bound by memory: each step reads the weights once for the whole batch, and
the keys and values of each study. The prompt is bound by arithmetic. Sizes are those
of the model (ViT-B/14, projector, Vicuna-7B in bfloat16); bandwidth and arithmetic are
the makers' data sheets. What is reached of them is assumed: `of_bandwidth` is the least
that gpt-fast publishes for a 7B model of this kind (69 to 82 % on an A100),
`of_arithmetic` is usual for long prompts.
"""

from collections.abc import Callable
from dataclasses import dataclass

WEIGHTS_GB = 13.2
"""Read once a step: Llama without its embeddings, bfloat16."""
RESIDENT_GB = 13.8
"""All parts of the model in bfloat16."""
CACHE_GB_A_TOKEN = 0.5 * 2**20 / 1e9
"""Keys and values of 32 layers of 4096, bfloat16."""
OF_MEMORY = 0.9
"""Of a device's memory, what weights and keys and values may fill."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A GPU by its data sheet: TB/s, dense bfloat16 TFLOP/s, GB."""

    name: str
    bandwidth: float
    arithmetic: float
    memory: float


DEVICES = {
    device.name: device
    for device in (
        Device(name="A10G", bandwidth=0.60, arithmetic=70, memory=24),
        Device(name="RTX 4090", bandwidth=1.01, arithmetic=165, memory=24),
        Device(name="A100 80 GB", bandwidth=2.04, arithmetic=312, memory=80),
        Device(name="H100 SXM", bandwidth=3.35, arithmetic=989, memory=80),
        Device(name="H200", bandwidth=4.8, arithmetic=989, memory=141),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one study asks of the engine.

    prompt_tokens, new_tokens : of all its tasks. prompt_tflop : arithmetic of the
    prompt, towers and projector included.
    """

    prompt_tokens: int
    prompt_tflop: float
    new_tokens: int

    def __post_init__(self) -> None:
        if min(self.prompt_tokens, self.prompt_tflop, self.new_tokens) <= 0:
            raise ValueError("a reading has a prompt and an answer")

    @property
    def cached_gb(self) -> float:
        """Keys and values at its end, in GB."""
        return (self.prompt_tokens + self.new_tokens) * CACHE_GB_A_TOKEN


FRONTAL = Reading(prompt_tokens=1436, prompt_tflop=19, new_tokens=200)
"""A frontal image alone."""
WITH_PRIOR = Reading(prompt_tokens=4400, prompt_tflop=62, new_tokens=200)
"""Frontal, lateral and prior: the longest prompt that there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """The shares, 0 to 1, of what the data sheet names."""

    bandwidth: float = 0.69
    arithmetic: float = 0.6

    def __post_init__(self) -> None:
        if not (0 < self.bandwidth <= 1 and 0 < self.arithmetic <= 1):
            raise ValueError("a share is more than 0 and at most 1")


FLOOR = Reached(bandwidth=1.0)
"""No implementation is faster than the memory."""


def seconds(
    device: Device, reading: Reading, batch: int, reached: Reached | None = None
) -> float:
    """Return the seconds that `batch` studies take together."""
    if batch < 1:
        raise ValueError(f"{batch} studies are no batch")
    shares = reached or Reached()
    prompts = batch * reading.prompt_tflop / (device.arithmetic * shares.arithmetic)
    gigabytes = WEIGHTS_GB + batch * reading.cached_gb
    step = gigabytes / (1000 * device.bandwidth * shares.bandwidth)
    return prompts + reading.new_tokens * step


def most(device: Device, reading: Reading) -> int:
    """Return how many studies the device's memory holds at one time; 0: none."""
    room = device.memory * OF_MEMORY - RESIDENT_GB
    return max(0, int(room / reading.cached_gb))


def service(
    device: Device, reading: Reading, reached: Reached | None = None
) -> Callable[[int], float]:
    """Return the seconds of a batch as a function of its size."""
    return lambda batch: seconds(device, reading, batch, reached)
