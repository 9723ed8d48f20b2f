"""The two stages of training: what each learns, and its loss on a batch of studies."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from model.maira2.modeling import Maira2ForConditionalGeneration
from model.maira2.processing import to_pixel_values
from model.maira2.tokenization import PromptTokenizer
from model.phantom.dataset import PREPROCESSING, Crops, Example, Studies
from model.phantom.detection import (
    DetectionHead,
    detection_loss,
    initialise_encoder,
    targets_of,
)
from model.phantom.reporting import (
    NOT_LEARNED,
    Lesson,
    answer_loss,
    initialise_language,
    phrase_lesson,
    report_lesson,
    soft_targets,
)


class Stage(Protocol):
    """What a training loop needs to know of a stage."""

    @property
    def parts(self) -> Sequence[nn.Module]:
        """Name the modules that learn."""
        ...

    def loss(
        self, chosen: Sequence[int], rng: np.random.Generator
    ) -> tuple[Tensor, float]:
        """Return the loss on the chosen studies, and a quality in [0, 1]."""
        ...


class DetectionStage:
    """The encoder finds the findings. Quality: mean overlap of the boxes."""

    def __init__(self, model: Maira2ForConditionalGeneration, studies: Studies) -> None:
        self._model = model
        self._studies = studies
        self._head = DetectionHead(model.config.vision.hidden_size)
        initialise_encoder(model.model.vision_tower)

    @property
    def parts(self) -> Sequence[nn.Module]:
        """Return the encoder and the head that is thrown away later."""
        return self._model.model.vision_tower, self._head

    def loss(
        self, chosen: Sequence[int], rng: np.random.Generator
    ) -> tuple[Tensor, float]:
        """Detect on one image of each study."""
        examples = [self._studies.examples[study] for study in chosen]
        places = [_draw_place(example, rng) for example in examples]
        shown = list(zip(chosen, places, strict=True))
        features = self._model.model.patch_features(pixels(self._studies, shown, rng))
        targets = targets_of(list(zip(examples, places, strict=True)))
        loss, overlap = detection_loss(self._head(features), targets)
        return loss, overlap.item()


class ReportStage:
    """Projector and language model write the answers; the encoder stays as it is.

    Quality: share of the answers' tokens that are right, given those before.
    """

    def __init__(
        self,
        model: Maira2ForConditionalGeneration,
        studies: Studies,
        tokenizer: PromptTokenizer,
    ) -> None:
        self._model = model
        self._studies = studies
        self._tokenizer = tokenizer
        self._soft = soft_targets(tokenizer)
        initialise_language(model, tokenizer)

    @property
    def parts(self) -> Sequence[nn.Module]:
        """Return the projector, the language model and its head."""
        model = self._model.model
        return model.multi_modal_projector, model.language_model, self._model.lm_head

    def loss(
        self, chosen: Sequence[int], rng: np.random.Generator
    ) -> tuple[Tensor, float]:
        """Answer a findings task and, where there is a box, a phrase of each study."""
        lessons = [pair for study in chosen for pair in self._lessons(study, rng)]
        features = self._features(lessons, rng)
        groups: dict[int, list[tuple[int, Lesson]]] = {}
        for lesson in lessons:
            groups.setdefault(len(lesson[1].places), []).append(lesson)
        answered = [self._answer(group, features) for group in groups.values()]
        logits = torch.cat([one[0] for one in answered])
        labels = torch.cat([one[1] for one in answered])
        right = (logits.argmax(dim=-1) == labels).float().mean()
        return answer_loss(logits, labels, self._soft), right.item()

    def _lessons(
        self, study: int, rng: np.random.Generator
    ) -> list[tuple[int, Lesson]]:
        example = self._studies.examples[study]
        report = report_lesson(example, self._tokenizer, rng)
        phrase = phrase_lesson(example, self._tokenizer, rng)
        return [(study, one) for one in (report, phrase) if one is not None]

    def _features(
        self, lessons: Sequence[tuple[int, Lesson]], rng: np.random.Generator
    ) -> dict[tuple[int, int], Tensor]:
        """Encode each image once: (study, place) -> (patches, text width)."""
        wanted = sorted({(study, p) for study, one in lessons for p in one.places})
        with torch.no_grad():
            patches = self._model.model.patch_features(
                pixels(self._studies, wanted, rng)
            )
        projected = self._model.model.multi_modal_projector(patches)
        return dict(zip(wanted, projected, strict=True))

    def _answer(
        self,
        group: Sequence[tuple[int, Lesson]],
        features: dict[tuple[int, int], Tensor],
    ) -> tuple[Tensor, Tensor]:
        """Return logits and labels of the answers' tokens; same number of images."""
        image, patches = self._tokenizer.image_id, self._model.config.patches
        ids, labels = _padded([one for _, one in group], image, patches)
        images = [features[study, p] for study, one in group for p in one.places]
        embeddings = self._model.embed(ids, torch.stack(images))
        # Padding stands behind everything that is learned, so no mask is needed.
        states = self._model.model.language_model(
            inputs_embeds=embeddings, use_cache=False
        )
        wanted = labels[:, 1:]
        learned = wanted != NOT_LEARNED
        hidden = states.last_hidden_state[:, :-1][learned]
        return self._model.lm_head(hidden), wanted[learned]


def pixels(
    studies: Studies, shown: Sequence[tuple[int, int]], rng: np.random.Generator
) -> Tensor:
    """Return images, each given by study and place: (images, 3, side, side)."""
    crops = [_exposed(studies.crop(study, place), rng) for study, place in shown]
    return torch.from_numpy(to_pixel_values(crops, PREPROCESSING))


def _draw_place(example: Example, rng: np.random.Generator) -> int:
    """Choose which image of a study is looked at: the current frontal mostly."""
    drawn = rng.random()
    if drawn < 0.15 and example.has_lateral:
        return 1
    return 2 if drawn > 0.7 and example.has_prior else 0


def _exposed(crop: Crops, rng: np.random.Generator) -> Crops:
    """Vary the exposure of a crop a little."""
    gain, offset = rng.uniform(0.9, 1.05), rng.uniform(-4.0, 8.0)
    shown = crop.astype(np.float32) * np.float32(gain) + np.float32(offset)
    shown += rng.standard_normal(crop.shape, np.float32) * np.float32(1.5)
    exposed: Crops = np.clip(shown, 0.0, 255.0).astype(np.uint8)
    return exposed


def _padded(
    lessons: Sequence[Lesson], image_id: int, patches: int
) -> tuple[Tensor, Tensor]:
    """Widen images and pad behind: ids and labels, each (lessons, length)."""
    ids, labels = [], []
    for lesson in lessons:
        flat = torch.tensor(lesson.ids)
        counts = torch.where(flat == image_id, patches, 1)
        ids.append(flat.repeat_interleave(counts))
        labels.append(torch.tensor(lesson.labels).repeat_interleave(counts))
    pad = nn.utils.rnn.pad_sequence
    return (
        pad(ids, batch_first=True),
        pad(labels, batch_first=True, padding_value=NOT_LEARNED),
    )
