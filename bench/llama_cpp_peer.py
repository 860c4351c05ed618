"""Greedy decoding by llama.cpp: the prompts of a batch as parallel sequences of one context, weights from a GGUF file written here."""

import ctypes
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

READ_TOGETHER = 2048  # prompt tokens of one call
NAMES = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}  # fmt: skip
OUTER = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight", "lm_head.weight": "output.weight"}


def write_gguf(student: Path, file: Path) -> None:
    """Write the weights of a float32 llama or Qwen2 as they are; its file has no tokenizer, for it is given tokens."""
    import gguf

    config = json.loads((student / "config.json").read_bytes())
    kind, heads, groups = config["model_type"], config["num_attention_heads"], config["num_key_value_heads"]
    writer = gguf.GGUFWriter(file, kind)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(groups)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("no_vocab")
    for name, weights in sorted(load_file(student / "model.safetensors").items()):
        per_head = {"q_proj": heads, "k_proj": groups}.get(name.split(".")[-2]) if kind == "llama" else None
        writer.add_tensor(_name(name), (_interleaved(weights, per_head) if per_head else weights).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _name(name: str) -> str:
    """Return llama.cpp's name of a tensor."""
    if name in OUTER:
        return OUTER[name]
    _, _, layer, part = name.split(".", 3)
    part, _, end = part.rpartition(".")
    return f"blk.{layer}.{NAMES[part]}.{end}"


def _interleaved(weights: np.ndarray[Any, Any], heads: int) -> np.ndarray[Any, Any]:
    """Return the rows of queries or keys in the order of llama.cpp's llama, whose rotated pairs are neighbours."""
    return weights.reshape(heads, 2, -1, *weights.shape[1:]).swapaxes(1, 2).reshape(weights.shape)


class LlamaCpp:
    """A model on one thread, for batches of at most `rows` sequences of at most `length` tokens."""

    def __init__(self, file: Path, rows: int, length: int) -> None:
        import llama_cpp

        self.library, self.rows = llama_cpp, rows
        self._quiet = llama_cpp.llama_log_callback(lambda level, text, data: None)
        llama_cpp.llama_log_set(self._quiet, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        self.model = llama_cpp.llama_model_load_from_file(str(file).encode(), llama_cpp.llama_model_default_params())
        params = llama_cpp.llama_context_default_params()
        params.n_ctx, params.n_seq_max = rows * length, rows
        params.n_batch, params.n_threads, params.n_threads_batch = max(READ_TOGETHER, rows), 1, 1
        self.context = llama_cpp.llama_init_from_model(self.model, params)
        self.vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))
        self.batch = llama_cpp.llama_batch_init(params.n_batch, 0, 1)
        if not self.context:
            raise RuntimeError(f"llama.cpp makes no context for {file}")

    def decode(self, prompts: Sequence[Sequence[int]], ends: frozenset[int], limit: int) -> list[list[int]]:
        """Continue each prompt until a token of `ends` (kept) or `limit` new tokens."""
        self.library.llama_memory_clear(self.library.llama_get_memory(self.context), True)
        written: list[list[int]] = [[] for _ in prompts]
        waiting: list[tuple[int, int, int, bool]] = []
        for row, prompt in enumerate(prompts):
            if len(waiting) + len(prompt) > READ_TOGETHER:
                self._step(waiting, written)
                waiting = []
            waiting += [(token, place, row, place == len(prompt) - 1) for place, token in enumerate(prompt)]
        self._step(waiting, written)
        for step in range(limit - 1):
            left = [row for row, tokens in enumerate(written) if tokens[-1] not in ends]
            if not left:
                break
            self._step([(written[row][-1], len(prompts[row]) + step, row, True) for row in left], written)
        return written

    def _step(self, entries: Sequence[tuple[int, int, int, bool]], written: list[list[int]]) -> None:
        """Read tokens, each with its position, row and whether the next one is wanted; append the likeliest next ones."""
        batch = self.batch
        batch.n_tokens = len(entries)
        for place, (token, position, row, wanted) in enumerate(entries):
            batch.token[place], batch.pos[place], batch.logits[place] = token, position, wanted
            batch.n_seq_id[place], batch.seq_id[place][0] = 1, row
        if code := self.library.llama_decode(self.context, batch):
            raise RuntimeError(f"llama_decode: {code}")
        for place, (_, _, row, wanted) in enumerate(entries):
            if wanted:
                logits = np.ctypeslib.as_array(self.library.llama_get_logits_ith(self.context, place), (self.vocabulary,))
                written[row].append(int(logits.argmax()))
