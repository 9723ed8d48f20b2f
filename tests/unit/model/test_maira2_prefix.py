import numpy as np
import torch

from model.maira2.memory import KeyValues
from model.maira2.prefix import Prefix, PrefixCache, PromptTokens, common_prefix

IMAGE = 99


def tokens(*parts: int | str) -> PromptTokens:
    """Ids, and images of three tokens by their digests."""
    ids: list[int] = []
    starts: list[int] = []
    for part in parts:
        if isinstance(part, str):
            starts.append(len(ids))
            ids += [IMAGE] * 3
        else:
            ids.append(part)
    return PromptTokens(
        ids=np.array(ids, dtype=np.int64),
        image_starts=tuple(starts),
        image_digests=tuple(part for part in parts if isinstance(part, str)),
        image_tokens=3,
    )


def prefix(read: PromptTokens) -> Prefix:
    """One layer of one head of width 1: 8 bytes a token."""
    column = torch.arange(len(read.ids), dtype=torch.float32)[None, :, None]
    return Prefix(tokens=read, memory=KeyValues(layers=((column, column),)))


def test_equal_ids_with_another_image_end_where_the_image_begins() -> None:
    assert common_prefix(tokens(1, "a", 2), tokens(1, "b", 2)) == 1
    assert common_prefix(tokens(1, "a", 2, "b"), tokens(1, "a", 2, "c")) == 5


def test_equal_images_end_where_the_words_differ() -> None:
    assert common_prefix(tokens(1, "a", 2, 3), tokens(1, "a", 2, 4, 5)) == 5


def test_an_image_counts_only_where_both_show_it() -> None:
    assert common_prefix(tokens(1, "a", 2), tokens(1, "a")) == 4
    assert common_prefix(tokens(1, 7, "b"), tokens(1, "a")) == 1


def test_the_longest_common_beginning_is_found() -> None:
    cache = PrefixCache(1000)
    cache.keep(prefix(tokens(1, "a", 2)))
    cache.keep(prefix(tokens(1, "b", 2)))
    hit = cache.find(tokens(1, "b", 3, 4))
    assert hit is not None
    assert hit.length == 4


def test_the_last_token_is_always_read_anew() -> None:
    cache = PrefixCache(1000)
    cache.keep(prefix(tokens(1, "a", 2)))
    hit = cache.find(tokens(1, "a", 2))
    assert hit is not None
    assert hit.length == 4


def test_nothing_in_common_is_no_hit() -> None:
    cache = PrefixCache(1000)
    cache.keep(prefix(tokens(1, "a")))
    assert cache.find(tokens(2, "a")) is None
    assert PrefixCache(0).find(tokens(1)) is None


def test_the_longest_unused_goes_when_the_budget_is_full() -> None:
    cache = PrefixCache(2 * 8 * 4)
    for name in ("a", "b"):
        cache.keep(prefix(tokens(1, name)))
    cache.find(tokens(1, "a", 5))
    cache.keep(prefix(tokens(1, "c")))
    found = {name: cache.find(tokens(1, name, 5)) for name in ("a", "b", "c")}
    lengths = {name: hit.length for name, hit in found.items() if hit is not None}
    assert lengths == {"a": 4, "b": 1, "c": 4}
    assert cache.nbytes <= 64


def test_a_longer_prompt_takes_the_place_of_one_with_the_same_images() -> None:
    cache = PrefixCache(1000)
    cache.keep(prefix(tokens(1, "a", 2, 3)))
    cache.keep(prefix(tokens(1, "a", 4, "b")))
    assert len(cache) == 1


def test_cleared_means_gone() -> None:
    cache = PrefixCache(1000)
    cache.keep(prefix(tokens(1, "a")))
    cache.clear()
    assert (len(cache), cache.nbytes) == (0, 0)
