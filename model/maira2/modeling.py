"""MAIRA-2 composed of transformers' own parts (arXiv 2406.04449, section 3).

Dinov2 backbone, a multilayer projector, Llama. Image features replace the
embeddings at the positions of the image token, images in prompt order.
"""

from enum import StrEnum

import torch
from torch import Tensor, nn
from transformers import Dinov2Backbone, LlamaForCausalLM
from transformers.activations import ACT2FN
from transformers.modeling_outputs import CausalLMOutputWithPast

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
        width, bias = config.text.hidden_size, config.projector_bias
        layers: list[nn.Module] = [nn.Linear(config.vision.hidden_size, width, bias)]
        for _ in range(config.projector_layers - 1):
            layers.append(ACT2FN[config.projector_activation])
            layers.append(nn.Linear(width, width, bias))
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """Map (..., vision width) to (..., text width)."""
        projected: Tensor = self.layers(features)
        return projected


class Maira2Model(nn.Module):
    """The tower, the projector and the language model, under official names.

    The three attribute names are the prefixes of the official tensors.
    """

    def __init__(
        self, config: Maira2Config, attention: Attention = Attention.EAGER
    ) -> None:
        super().__init__()
        self.config = config
        self.vision_tower = Dinov2Backbone(config.vision)
        self.multi_modal_projector = Projector(config)
        self.language_model = LlamaForCausalLM(config.text)
        self.use_attention(attention)

    def use_attention(self, attention: Attention) -> None:
        """Choose the attention code of the tower and of the language model."""
        self.vision_tower.set_attn_implementation(attention.value)
        self.language_model.set_attn_implementation(attention.value)

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

    def embed(self, input_ids: Tensor, image_features: Tensor) -> Tensor:
        """Embed prompts and put the image features in their places.

        input_ids : (prompts, length) int64; image_features : (images, patches,
        text width), the images of all prompts in order. Returns (prompts,
        length, text width). Raises `ValueError` where the number of image
        tokens is not images times patches.
        """
        embeddings: Tensor = self.language_model.get_input_embeddings()(input_ids)
        slots = input_ids == self.config.image_token_id
        features = image_features.to(embeddings.device, embeddings.dtype)
        if int(slots.sum()) != features.shape[0] * features.shape[1]:
            raise ValueError(
                f"{int(slots.sum())} image tokens for {features.shape[0]} images "
                f"of {features.shape[1]} patches"
            )
        mask = slots.unsqueeze(-1).expand_as(embeddings)
        return embeddings.masked_scatter(mask, features)

    def forward(
        self,
        inputs_embeds: Tensor,
        attention_mask: Tensor,
        labels: Tensor | None = None,
    ) -> CausalLMOutputWithPast:
        """Run the language model over whole sequences, as for training.

        inputs_embeds : (prompts, length, text width) from `embed`;
        attention_mask : (prompts, length), 0 where padded, on either side;
        labels : (prompts, length) ids, -100 where nothing is learned, not
        shifted. Returns `logits` and, with labels, the mean `loss`.
        """
        output: CausalLMOutputWithPast = self.language_model(
            inputs_embeds=inputs_embeds,
            attention_mask=attention_mask,
            position_ids=positions(attention_mask),
            labels=labels,
            use_cache=False,
        )
        return output


def positions(attention_mask: Tensor) -> Tensor:
    """Return each token's place in its prompt, from 0, padding not counted."""
    return torch.clamp(attention_mask.long().cumsum(dim=-1) - 1, min=0)
