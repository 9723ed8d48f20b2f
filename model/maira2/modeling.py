"""MAIRA-2 composed of transformers' own parts (arXiv 2406.04449, section 3).

Dinov2 backbone, a multilayer projector, Llama. Image features replace the
embeddings at the positions of the image token, images in prompt order. The modules
are laid out as transformers 5 wants them: a base model without the head, so that
servers that build on the library's models take it.
"""

from enum import StrEnum
from typing import ClassVar, Self

import torch
from torch import Tensor, nn
from transformers import (
    Cache,
    Dinov2Backbone,
    GenerationMixin,
    LlamaModel,
    PreTrainedModel,
)
from transformers.activations import ACT2FN
from transformers.modeling_outputs import (
    BaseModelOutputWithPast,
    BaseModelOutputWithPooling,
    CausalLMOutputWithPast,
)

from model.errors import CheckpointError
from model.maira2.configuration import Maira2Config


class Attention(StrEnum):
    """Which attention code of transformers runs."""

    EAGER = "eager"
    """Plain matrix products: what the golden answers were made with."""
    SDPA = "sdpa"
    """torch's fused kernels: less memory, last digits may differ."""


class Projector(nn.Module):
    """Linear layers with an activation between two: vision to text width."""

    def __init__(self, config: Maira2Config) -> None:
        super().__init__()
        width, bias = config.text.hidden_size, config.multimodal_projector_bias
        layers: list[nn.Module] = [nn.Linear(config.vision.hidden_size, width, bias)]
        for _ in range(config.projector_n_layers - 1):
            layers.append(ACT2FN[config.projector_hidden_act])
            layers.append(nn.Linear(width, width, bias))
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """Map (..., vision width) to (..., text width)."""
        projected: Tensor = self.layers(features)
        return projected


class Maira2PreTrainedModel(PreTrainedModel):  # type: ignore[misc]  # untyped base
    """What the library asks of both models; the flags are those of the parts."""

    config: Maira2Config
    config_class = Maira2Config
    base_model_prefix = "model"
    input_modalities = ("image", "text")
    _supports_sdpa = True
    _supports_attention_backend = True
    _can_compile_fullgraph = True
    _skip_keys_device_placement: ClassVar[list[str]] = ["past_key_values"]
    _no_split_modules: ClassVar[list[str]] = ["Dinov2Layer", "LlamaDecoderLayer"]

    def use_attention(self, attention: Attention) -> None:
        """Choose the attention code of the tower and of the language model."""
        self.set_attn_implementation(attention.value)


class Maira2Model(Maira2PreTrainedModel):
    """The tower, the projector and the language model, without the head."""

    def __init__(self, config: Maira2Config) -> None:
        super().__init__(config)
        self.vision_tower = Dinov2Backbone(config.vision)
        self.multi_modal_projector = Projector(config)
        self.language_model = LlamaModel(config.text)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """Return the table of token embeddings."""
        embeddings: nn.Module = self.language_model.embed_tokens
        return embeddings

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the table of token embeddings."""
        self.language_model.embed_tokens = value

    def feature_map(self, pixel_values: Tensor) -> Tensor:
        """Encode images, CLS included.

        pixel_values : (images, 3, side, side). Returns (images, 1 + patches,
        vision width): the final LayerNorm over the last block's output.
        """
        features: Tensor = self.vision_tower(pixel_values).feature_maps[-1]
        return features

    def patch_features(self, pixel_values: Tensor) -> Tensor:
        """Encode images without CLS: (images, patches, vision width), row-major."""
        return self.feature_map(pixel_values)[:, 1:]

    def image_features(self, pixel_values: Tensor) -> Tensor:
        """Encode and project images: (images, patches, text width)."""
        projected: Tensor = self.multi_modal_projector(
            self.patch_features(pixel_values)
        )
        return projected

    def get_image_features(
        self, pixel_values: Tensor, **_: object
    ) -> BaseModelOutputWithPooling:
        """Give the image features as the library's servers ask for them.

        `last_hidden_state` : the tower's feature map; `pooler_output` : for each
        image its (patches, text width).
        """
        features = self.feature_map(pixel_values)
        projected = self.multi_modal_projector(features[:, 1:])
        return BaseModelOutputWithPooling(
            last_hidden_state=features, pooler_output=tuple(projected)
        )

    def embed(self, input_ids: Tensor, image_features: Tensor) -> Tensor:
        """Embed prompts and put the image features in their places.

        input_ids : (prompts, length) int64; image_features : (images, patches,
        text width), the images of all prompts in order. Returns (prompts,
        length, text width). Raises `ValueError` where the number of image
        tokens is not images times patches.
        """
        embeddings: Tensor = self.get_input_embeddings()(input_ids)
        slots = input_ids == self.config.image_token_id
        features = image_features.to(embeddings.device, embeddings.dtype)
        if int(slots.sum()) != features.shape[0] * features.shape[1]:
            raise ValueError(
                f"{int(slots.sum())} image tokens for {features.shape[0]} images "
                f"of {features.shape[1]} patches"
            )
        mask = slots.unsqueeze(-1).expand_as(embeddings)
        return embeddings.masked_scatter(mask, features)

    def forward(  # noqa: PLR0913 - the library's arguments, by name
        self,
        input_ids: Tensor | None = None,
        *,
        pixel_values: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        **kwargs: object,
    ) -> BaseModelOutputWithPast:
        """Run the language model over prompts, given as ids or embedded.

        attention_mask : (prompts, past + length), 0 where padded, on either side;
        without `position_ids` the padding is not counted. Raises `ValueError`
        where both or none of `input_ids` and `inputs_embeds` are given.
        """
        if (input_ids is None) is (inputs_embeds is None):
            raise ValueError("exactly one of input_ids and inputs_embeds is needed")
        if input_ids is not None:
            inputs_embeds = self._embedded(input_ids, pixel_values)
        if position_ids is None and attention_mask is not None:
            position_ids = _positions_of(inputs_embeds, attention_mask)
        output: BaseModelOutputWithPast = self.language_model(
            inputs_embeds=inputs_embeds,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            **kwargs,
        )
        return output

    def _embedded(self, input_ids: Tensor, pixel_values: Tensor | None) -> Tensor:
        if pixel_values is None:
            embeddings: Tensor = self.get_input_embeddings()(input_ids)
            return embeddings
        return self.embed(input_ids, self.image_features(pixel_values))


class Maira2ForConditionalGeneration(
    Maira2PreTrainedModel,
    GenerationMixin,  # type: ignore[misc]  # untyped base
):
    """The whole model: images and a prompt to the logits of the next token."""

    def __init__(self, config: Maira2Config) -> None:
        super().__init__(config)
        self.model = Maira2Model(config)
        width, vocabulary = config.text.hidden_size, config.text.vocab_size
        self.lm_head = nn.Linear(width, vocabulary, bias=False)
        self.post_init()

    @classmethod
    def from_pretrained(
        cls, *args: object, output_loading_info: bool = False, **kwargs: object
    ) -> Self | tuple[Self, dict[str, set[str]]]:
        """Load by the library, but strictly: it would fill a missing tensor at random.

        Raises `CheckpointError` that names missing and unexpected tensors.
        """
        model, info = super().from_pretrained(*args, output_loading_info=True, **kwargs)
        for kind in ("missing_keys", "unexpected_keys"):
            if info[kind]:
                raise CheckpointError(f"{kind}: {', '.join(sorted(info[kind]))}")
        _complete(model)
        return (model, info) if output_loading_info else model

    def get_input_embeddings(self) -> nn.Module:
        """Return the table of token embeddings."""
        return self.model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the table of token embeddings."""
        self.model.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module:
        """Return the head; its weights are its own."""
        return self.lm_head

    def get_decoder(self, **_: object) -> nn.Module:
        """Return the part that runs once a token."""
        return self.model

    def feature_map(self, pixel_values: Tensor) -> Tensor:
        """Encode images, CLS included; see `Maira2Model.feature_map`."""
        return self.model.feature_map(pixel_values)

    def image_features(self, pixel_values: Tensor) -> Tensor:
        """Encode and project images: (images, patches, text width)."""
        return self.model.image_features(pixel_values)

    def get_image_features(
        self, pixel_values: Tensor, **kwargs: object
    ) -> BaseModelOutputWithPooling:
        """Give the image features; see `Maira2Model.get_image_features`."""
        return self.model.get_image_features(pixel_values, **kwargs)

    def embed(self, input_ids: Tensor, image_features: Tensor) -> Tensor:
        """Embed prompts with their images; see `Maira2Model.embed`."""
        return self.model.embed(input_ids, image_features)

    def forward(  # noqa: PLR0913 - the library's arguments, by name
        self,
        input_ids: Tensor | None = None,
        *,
        pixel_values: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        logits_to_keep: int | Tensor = 0,
        **kwargs: object,
    ) -> CausalLMOutputWithPast:
        """Return `logits` and, with labels, the mean `loss`.

        Prompts as in `Maira2Model.forward`. labels : (prompts, length) ids, -100
        where nothing is learned, not shifted. logits_to_keep : how many last
        positions get logits, 0 for all, or their indices.
        """
        output = self.model(
            input_ids,
            pixel_values=pixel_values,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            **kwargs,
        )
        kept = _kept(output.last_hidden_state, logits_to_keep)
        logits: Tensor = self.lm_head(kept)
        return CausalLMOutputWithPast(
            loss=None if labels is None else self._loss(logits, labels),
            logits=logits,
            past_key_values=output.past_key_values,
            hidden_states=output.hidden_states,
            attentions=output.attentions,
        )

    def prepare_inputs_for_generation(
        self,
        *args: object,
        is_first_iteration: bool | None = False,
        pixel_values: Tensor | None = None,
        **kwargs: object,
    ) -> dict[str, object]:
        """Give the pixels to the step that reads the prompt, and to no other."""
        inputs: dict[str, object] = super().prepare_inputs_for_generation(
            *args, is_first_iteration=is_first_iteration, **kwargs
        )
        if is_first_iteration or not kwargs.get("use_cache", True):
            inputs["pixel_values"] = pixel_values
        return inputs

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        loss: Tensor = self.loss_function(
            logits=logits, labels=labels, vocab_size=self.config.text.vocab_size
        )
        return loss


def positions(attention_mask: Tensor) -> Tensor:
    """Return each token's place in its prompt, from 0, padding not counted."""
    return torch.clamp(attention_mask.long().cumsum(dim=-1) - 1, min=0)


def _complete(model: Maira2ForConditionalGeneration) -> None:
    """Name the tokens that end and pad an answer where no generation_config.json does.

    Without them the library would go on to the token limit.
    """
    generation = model.generation_config
    for key in ("bos_token_id", "eos_token_id", "pad_token_id"):
        if getattr(generation, key) is None:
            setattr(generation, key, getattr(model.config.text, key))


def _positions_of(embeddings: Tensor | None, attention_mask: Tensor) -> Tensor | None:
    """Return the places of the tokens that are read now: the mask's last ones."""
    if embeddings is None or attention_mask.dim() != 2:
        return None
    return positions(attention_mask)[:, -embeddings.shape[1] :]


def _kept(states: Tensor, logits_to_keep: int | Tensor) -> Tensor:
    """Return the states, (prompts, length, width), that get logits."""
    if isinstance(logits_to_keep, Tensor):
        return states[:, logits_to_keep]
    return states[:, -logits_to_keep:] if logits_to_keep else states
