"""A transformer as a folder that Hugging Face's transformers library loads."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save as serialize_tensors

from charrnn_cli.checkpoints.atomic_write import write_files
from charrnn_cli.checkpoints.checkpoint import Array, Checkpoint
from charrnn_cli.errors import UsageError, WriteError
from charrnn_cli.export.model_card import model_card
from charrnn_cli.models.transformer.config import NORM_EPSILON, ROPE_BASE, TransformerConfig
from charrnn_cli.text.normalization import NONE
from charrnn_cli.text.vocabulary import REPLACEMENT

# `config.json` is written last: a folder without it is not complete.
LAST = "config.json"


def write_hugging_face(checkpoint: Checkpoint, folder: Path) -> list[Path]:
    """Write a model as a folder for `transformers`; return the files.

    `gpt2` becomes a `GPT2LMHeadModel`. `llama` becomes a `Qwen3ForCausalLM`, which is a Llama whose
    queries and keys are normalised by head, as they are here. Files of other names in the folder
    stay. Raises UsageError for a model that is neither; WriteError if the folder cannot be written.
    """
    files = hugging_face_files(checkpoint)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(
            f"{folder}: cannot be made ({error.strerror}). Choose another folder."
        ) from None
    paths = {folder / name: data for name, data in files.items()}
    write_files(paths, "choose another folder")
    return [*paths]


def hugging_face_files(checkpoint: Checkpoint) -> dict[str, bytes]:
    """The folder's files by name, `config.json` last. Raises UsageError for a model that is not a
    transformer of one text."""
    model = checkpoint.model
    if not isinstance(model, TransformerConfig):
        remedy = "Leave it here." if checkpoint.pairs is not None else "Use --onnx for this one."
        raise UsageError(
            f"--hf: transformers has no model of kind {model.architecture}; it loads gpt2 and "
            f"llama. {remedy}"
        )
    config, tensors = _CONVERSIONS[model.architecture](model, checkpoint.weights)
    return {
        "model.safetensors": serialize_tensors(
            {name: np.ascontiguousarray(values) for name, values in tensors.items()},
            {"format": "pt"},
        ),
        "tokenizer.json": _json(tokenizer(checkpoint)),
        "tokenizer_config.json": _json(_tokenizer_config(checkpoint, model)),
        "generation_config.json": _json(_generation_config(model)),
        "README.md": model_card(checkpoint).encode(),
        LAST: _json(config),
    }


def tokenizer(checkpoint: Checkpoint) -> dict[str, Any]:
    """The content of `tokenizer.json`: each character is a token, whatever it is.

    A character that the model never saw is read as U+FFFD if the model learned rare characters
    as that; otherwise it is an error when a text is encoded.
    """
    form = checkpoint.train.normalize
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None if form == NONE else {"type": form},
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"Regex": r"[\s\S]"},  # a newline too, which a dot does not match
            "behavior": "Isolated",
            "invert": False,
        },
        "post_processor": None,
        "decoder": {"type": "Fuse"},
        "model": {
            "type": "WordLevel",
            "vocab": {c: index for index, c in enumerate(checkpoint.vocabulary.characters)},
            "unk_token": REPLACEMENT if checkpoint.reads_replacement else "",
        },
    }


def _tokenizer_config(checkpoint: Checkpoint, model: TransformerConfig) -> dict[str, Any]:
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": model.context,
        "clean_up_tokenization_spaces": False,
    }
    if checkpoint.reads_replacement:
        config["unk_token"] = REPLACEMENT
    return config


def _generation_config(model: TransformerConfig) -> dict[str, Any]:
    config: dict[str, Any] = {
        "do_sample": True,
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
    }
    if model.kind.learned_positions:
        config["max_length"] = model.context  # there are no positions beyond
    return config


def _shared_config(model: TransformerConfig) -> dict[str, Any]:
    """What the configurations of both kinds say in the same words."""
    return {
        "vocab_size": model.vocabulary_size,
        "tie_word_embeddings": model.kind.tied,
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
        "dtype": "float32",
    }


def _gpt2(
    model: TransformerConfig, weights: Mapping[str, Array]
) -> tuple[dict[str, Any], dict[str, Array]]:
    config = {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "n_positions": model.context,
        "n_embd": model.hidden_size,
        "n_layer": model.num_layers,
        "n_head": model.num_heads,
        "n_inner": model.feed_forward_size,
        "activation_function": "gelu_new",  # GELU in its tanh form
        "layer_norm_epsilon": NORM_EPSILON,
        "resid_pdrop": model.dropout,
        "embd_pdrop": model.dropout,
        "attn_pdrop": 0.0,
        **_shared_config(model),
    }
    tensors = {
        "transformer.wte.weight": weights["characters.weight"],
        "transformer.wpe.weight": weights["positions.weight"],
    }
    parts = {
        "attention_norm": "ln_1",
        "attention.qkv": "attn.c_attn",
        "attention.output": "attn.c_proj",
        "feed_forward_norm": "ln_2",
        "feed_forward.up": "mlp.c_fc",
        "feed_forward.down": "mlp.c_proj",
    }
    for layer in range(model.num_layers):
        for own, theirs in parts.items():
            weight = weights[f"blocks.{layer}.{own}.weight"]
            # GPT-2's layers hold their weights transposed, (inputs, outputs)
            tensors[f"transformer.h.{layer}.{theirs}.weight"] = weight.T
            tensors[f"transformer.h.{layer}.{theirs}.bias"] = weights[f"blocks.{layer}.{own}.bias"]
    tensors["transformer.ln_f.weight"] = weights["norm.weight"]
    tensors["transformer.ln_f.bias"] = weights["norm.bias"]
    return config, tensors


def _qwen3(
    model: TransformerConfig, weights: Mapping[str, Array]
) -> tuple[dict[str, Any], dict[str, Array]]:
    config = {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "hidden_size": model.hidden_size,
        "intermediate_size": model.feed_forward_size,
        "num_hidden_layers": model.num_layers,
        "num_attention_heads": model.num_heads,
        "num_key_value_heads": model.num_heads,
        "head_dim": model.head_size,
        "hidden_act": "silu",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "rms_norm_eps": NORM_EPSILON,
        "max_position_embeddings": model.context,
        "rope_theta": ROPE_BASE,  # read by versions before 5, which do not know the next
        "rope_parameters": {"rope_type": "default", "rope_theta": ROPE_BASE},
        # A character attends to those of one context, the distances that the model was trained
        # on, however long the text is.
        "use_sliding_window": True,
        "sliding_window": model.context,
        "max_window_layers": 0,
        "layer_types": ["sliding_attention"] * model.num_layers,
        **_shared_config(model),
    }
    tensors = {
        "model.embed_tokens.weight": weights["characters.weight"],
        "model.norm.weight": weights["norm.weight"],
        "lm_head.weight": weights["head.weight"],
    }
    parts = {
        "attention_norm": "input_layernorm",
        "attention.query_norm": "self_attn.q_norm",
        "attention.key_norm": "self_attn.k_norm",
        "attention.output": "self_attn.o_proj",
        "feed_forward_norm": "post_attention_layernorm",
        "feed_forward.gate": "mlp.gate_proj",
        "feed_forward.up": "mlp.up_proj",
        "feed_forward.down": "mlp.down_proj",
    }
    for layer in range(model.num_layers):
        for own, theirs in parts.items():
            name = f"model.layers.{layer}.{theirs}.weight"
            tensors[name] = weights[f"blocks.{layer}.{own}.weight"]
        blocks = np.split(weights[f"blocks.{layer}.attention.qkv.weight"], 3)
        for letter, block in zip("qkv", blocks, strict=True):
            tensors[f"model.layers.{layer}.self_attn.{letter}_proj.weight"] = block
    return config, tensors


_CONVERSIONS = {"gpt2": _gpt2, "llama": _qwen3}


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
