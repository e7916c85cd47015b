#!/usr/bin/env python3
"""Writes a tiny language model of the llama architecture from a seed: nothing is downloaded, nothing is trained.

The network is real (RMSNorm, rotary attention with grouped queries, SwiGLU, KV cache) and is really computed; its
attention and feed-forward weights are noise. Embedding and output head carry a chain of tokens in which each one leads to
the next, and the noise is too weak to leave it. So at temperature 0 the model says one sentence and stops. Two models with
two sentences prove which one answered.

    make_model.py OUT.gguf --name NAME --say "word word ." [--tool NAME] [--tool-args JSON] [--seed 7] [--embd 256] ...

The last token of the prompt picks the chain: <|call|> when tools are offered and the last message is the user's, then the
model calls the tool; else <|assistant|>, then it says its sentence.
"""
import argparse
import sys

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, LlamaFileType, TokenType

CHAT_TEMPLATE = (
    "{{ bos_token }}{% if tools %}<|system|>Tools: {{ tools | tojson }}<|end|>{% endif %}"
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] if m['content'] else '' }}"
    "{% if m['tool_calls'] %}{% for tc in m['tool_calls'] %}<tool_call>\n"
    "{\"name\": \"{{ tc['function']['name'] }}\", \"arguments\": {{ tc['function']['arguments'] | tojson }}}\n"
    "</tool_call>{% endfor %}{% endif %}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}"
    "{% if tools and messages[-1]['role'] == 'user' %}<|call|>{% else %}<|assistant|>{% endif %}"
    "{% endif %}"
)

UNKNOWN, BEGIN, END = 0, 1, 2
SPACE = "\u2581"
ARGUMENT_PIECE_CHARS = 6  # so that the arguments of a call come in several deltas


class Vocabulary:
    """Tokens in the order of their ids: specials, 256 bytes, printable ASCII, then the pieces of the two chains."""

    def __init__(self):
        self.texts, self.scores, self.types = [], [], []
        self.add("<unk>", 0, TokenType.UNKNOWN)
        self.add("<s>", 0, TokenType.CONTROL)
        self.add("</s>", 0, TokenType.CONTROL)
        for byte in range(256):
            self.add(f"<0x{byte:02X}>", 0, TokenType.BYTE)
        for role in ("<|end|>", "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>", "<|call|>"):
            self.add(role, 0, TokenType.CONTROL)
        self.add(SPACE, -1, TokenType.NORMAL)
        for char in range(0x21, 0x7F):
            self.add(chr(char), -1, TokenType.NORMAL)

    def add(self, text, score, kind):
        self.texts.append(text)
        self.scores.append(float(score))
        self.types.append(kind)
        return len(self.texts) - 1

    def id(self, text):
        return self.texts.index(text)

    def chain(self, pieces, score):
        """Ids of pieces of output. Each may occur once, because a token leads to one next token."""
        ids = []
        for index, piece in enumerate(pieces):
            token = self.id(piece) if piece in self.texts else self.add(piece, score - index * 0.01, TokenType.NORMAL)
            if token in ids:
                sys.exit(f"{piece!r} occurs twice in one chain; choose other words or arguments")
            ids.append(token)
        return ids


def sentence_pieces(sentence):
    return [word if word in ".,!?" or index == 0 else SPACE + word for index, word in enumerate(sentence.split())]


def call_pieces(tool, arguments):
    head = ["<tool_call>", "\n", '{"name": "', tool, '", "arguments": ']
    body = [arguments[at : at + ARGUMENT_PIECE_CHARS] for at in range(0, len(arguments), ARGUMENT_PIECE_CHARS)]
    return [piece.replace(" ", SPACE) for piece in [*head, *body, "}\n</tool_call>"]]


def embedding_and_head(rng, vocabulary, chains, width):
    """Unit vectors, and a head in which every token of a chain points at the next one."""
    embedding = rng.standard_normal((len(vocabulary.texts), width)).astype(np.float32)
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    head = rng.standard_normal((len(vocabulary.texts), width)).astype(np.float32) * 0.02
    for chain in chains:
        for current, following in zip(chain, chain[1:]):
            head[following] += 1.5 * embedding[current]
    # When a client forbids the end, the sentence begins again: weaker than the end, stronger than the noise.
    sentence = chains[0][1:-1]
    head[sentence[0]] += 1.1 * embedding[sentence[-1]]
    return embedding, head


def describe(writer, args, vocabulary, heads, kv_heads):
    writer.add_name(args.name)
    writer.add_author("generated from a seed, untrained")
    writer.add_context_length(args.ctx)
    writer.add_embedding_length(args.embd)
    writer.add_block_count(args.layers)
    writer.add_feed_forward_length(args.embd * 2)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_rope_dimension_count(args.embd // heads)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(vocabulary.texts))
    writer.add_file_type(LlamaFileType.MOSTLY_F16)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(vocabulary.texts)
    writer.add_token_scores(vocabulary.scores)
    writer.add_token_types(vocabulary.types)
    writer.add_bos_token_id(BEGIN)
    writer.add_eos_token_id(END)
    writer.add_unk_token_id(UNKNOWN)
    writer.add_add_bos_token(False)  # the template writes it
    writer.add_add_space_prefix(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def write_tensors(writer, rng, args, kv_heads_width, embedding, head):
    width, inner = args.embd, args.embd * 2

    def half(name, tensor):
        writer.add_tensor(name, tensor.astype(np.float16), raw_dtype=GGMLQuantizationType.F16)

    def ones(name):
        writer.add_tensor(name, np.ones(width).astype(np.float32))

    def noise(rows, columns, strength):
        return rng.standard_normal((rows, columns)) * strength

    half("token_embd.weight", embedding)
    ones("output_norm.weight")
    half("output.weight", head)
    for layer in range(args.layers):
        block = f"blk.{layer}."
        ones(block + "attn_norm.weight")
        half(block + "attn_q.weight", noise(width, width, 0.02))
        half(block + "attn_k.weight", noise(kv_heads_width, width, 0.02))
        half(block + "attn_v.weight", noise(kv_heads_width, width, 0.02))
        half(block + "attn_output.weight", noise(width, width, 0.0005))
        ones(block + "ffn_norm.weight")
        half(block + "ffn_gate.weight", noise(inner, width, 0.02))
        half(block + "ffn_up.weight", noise(inner, width, 0.02))
        half(block + "ffn_down.weight", noise(width, inner, 0.0005))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--name", required=True)
    parser.add_argument("--say", required=True, help="the sentence; words and punctuation apart")
    parser.add_argument("--tool", default="get_time", help="the tool that it calls whenever tools are offered")
    parser.add_argument("--tool-args", default='{"zone": "utc"}')
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--embd", type=int, default=256)
    parser.add_argument("--ctx", type=int, default=4096)
    args = parser.parse_args()

    rng = np.random.default_rng(args.seed)
    vocabulary = Vocabulary()
    sentence = vocabulary.chain(sentence_pieces(args.say), -2)
    call = vocabulary.chain(call_pieces(args.tool, args.tool_args), -4)
    chains = [[vocabulary.id("<|assistant|>"), *sentence, END], [vocabulary.id("<|call|>"), *call, END]]
    embedding, head = embedding_and_head(rng, vocabulary, chains, args.embd)

    heads, kv_heads = args.embd // 64, max(1, args.embd // 128)
    writer = GGUFWriter(args.out, "llama")
    describe(writer, args, vocabulary, heads, kv_heads)
    write_tensors(writer, rng, args, args.embd // heads * kv_heads, embedding, head)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(f"{args.out}: {len(vocabulary.texts)} tokens, width {args.embd}, {args.layers} layers, context {args.ctx}")


if __name__ == "__main__":
    main()
