"""The optional libraries themselves, where they are installed, on small models that are made here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from context_plane.retrieval.embedders import open_embedder
from context_plane.retrieval.embedders.extras import content
from tests.retrieval.embedders.properties import check

pytestmark = pytest.mark.filterwarnings("default")  # what the libraries warn of is not ours
TEXTS = ["the export stops", "", "rows", " \n", "seats of a customer " * 9, "lone \ud800", "the"]


def test_model2vec(tmp_path: Path) -> None:
    """Vectors and identity of a static model."""
    library = pytest.importorskip("model2vec", reason="the extra model2vec is not installed")
    table = np.random.default_rng(1).normal(size=(9, 32)).astype(np.float32)
    library.StaticModel(table, tokenizer()).save_pretrained(tmp_path / "mine")
    embedder = open_embedder(f"model2vec:{tmp_path / 'mine'}")
    check(embedder, TEXTS)
    check(embedder, [])
    assert embedder.id.startswith("model2vec/mine@")
    assert embedder.id.endswith("/32")


def test_sentence_transformers(tmp_path: Path) -> None:
    """The same bytes in any batch, and the identity, of an encoder."""
    reason = "the extra sentence-transformers is not installed"
    library = pytest.importorskip("sentence_transformers", reason=reason)
    transformers = pytest.importorskip("transformers", reason=reason)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    transformers.BertModel(transformers.BertConfig(vocab_size=9, **sizes)).save_pretrained(tmp_path / "bert")
    named = {"pad_token": "[PAD]", "unk_token": "[UNK]", "model_max_length": 64}
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer(), **named).save_pretrained(tmp_path / "bert")
    library.SentenceTransformer(str(tmp_path / "bert"), device="cpu").save(str(tmp_path / "mine"))
    embedder = open_embedder(f"sentence-transformers:{tmp_path / 'mine'}")
    check(embedder, TEXTS)
    check(embedder, [])
    assert embedder.id == f"sentence-transformers/mine@{content(tmp_path / 'mine')}/32"


def tokenizer() -> Any:
    """One that knows a few words."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    words = "[PAD] [UNK] the export stops rows seats customer of".split()
    made = Tokenizer(WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    made.pre_tokenizer = Whitespace()
    return made
