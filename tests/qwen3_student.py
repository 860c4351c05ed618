"""A tiny random student of Qwen3's shape in the hub's layout, 16 bits a weight, with thinking blocks in its template."""

import json
from pathlib import Path

from distill.model import engine
from tests import tiny_model as toy

# In the manner of Qwen3's: every assistant turn has a thinking block, empty where its text has none; a prompt may close it beforehand.
TEMPLATE = """
{%- for message in messages %}
    {%- if message.role == 'assistant' %}
        {%- set thought, answer = '', message.content %}
        {%- if '</think>' in message.content %}
            {%- set thought = message.content.split('</think>')[0].split('<think>')[-1].strip('\\n') %}
            {%- set answer = message.content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {{- '<|im_start|>assistant\\n<think>\\n' + thought + '\\n</think>\\n\\n' + answer + '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}
"""


def write(folder: Path, hidden: int = 64, layers: int = 2, vocabulary: int = 300, shards: bool = False) -> Path:
    """Write the student in bfloat16; with `shards` its weights are two files with an index, as large repositories have."""
    engine.start()
    import mlx.core as mx
    from mlx.utils import tree_flatten
    from mlx_lm.models.qwen3 import Model, ModelArgs

    folder.mkdir(parents=True, exist_ok=True)
    toy.tokenizer(vocabulary).save(str(folder / "tokenizer.json"))
    shape = {"hidden_size": hidden, "num_hidden_layers": layers, "intermediate_size": 2 * hidden, "head_dim": 32, "vocab_size": vocabulary}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 4096, "tie_word_embeddings": False}
    rest = {"rms_norm_eps": 1.0e-6, "rope_theta": 1000000, "hidden_act": "silu", "attention_bias": False, "torch_dtype": "bfloat16"}
    config = {"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"], "eos_token_id": 2, "bos_token_id": 0} | shape | heads | rest
    (folder / "config.json").write_text(json.dumps(config))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"chat_template": TEMPLATE}))
    mx.random.seed(0)
    arrays = {name: array.astype(mx.bfloat16) for name, array in tree_flatten(Model(ModelArgs.from_dict(config)).parameters())}
    names = sorted(arrays)
    parts = [names[::2], names[1::2]] if shards else [names]
    files = [f"model-{n:05}-of-{len(parts):05}.safetensors" if shards else "model.safetensors" for n in range(1, len(parts) + 1)]
    for file, part in zip(files, parts, strict=True):
        mx.save_safetensors(str(folder / file), {name: arrays[name] for name in part}, {"format": "mlx"})
    if shards:
        where = {name: file for file, part in zip(files, parts, strict=True) for name in part}
        (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))
    return folder
