#!/usr/bin/env python3
"""Checks an OpenAI-compatible endpoint with the SDK that people use: models, plain, stream, errors.

    openai_sdk.py BASE_URL KEY MODEL               (openai-sdk-requirements.txt pins the SDK)
    openai_sdk.py --socket PATH MODEL [--tools]    a Unix socket, which itself says who asks: no key

Prints one line for each fact, "ok" or "NOT OK" in front; exits with 1 when one of them does not hold.
"""
import argparse
import json
import sys

import httpx2
import openai

SECONDS = 60.0
MAX_SEEN_CHARS = 400
HELLO = [{"role": "user", "content": "Say hello."}]
# Words 50 ms apart: what comes at the same time is told at the same time.
SLOWLY = [{"role": "user", "content": "/slow 6"}]
CLOCK = {"type": "function", "function": {"name": "clock_now", "description": "The time.", "parameters": {"type": "object"}}}
CALL = [{"role": "user", "content": "/call clock_now {\"zone\":\"UTC\"}"}]  # the demo model does as it is told


class Facts:
    """Counts what holds and what does not."""

    def __init__(self):
        self.failed = 0

    def check(self, fact, holds, seen):
        print(f"{'ok' if holds else 'NOT OK'}: {fact}" + ("" if holds else f"; seen: {repr(seen)[:MAX_SEEN_CHARS]}"), flush=True)
        self.failed += not holds

    def refuses(self, fact, kind, code, call):
        """The call fails with this class of error, and a body in OpenAI's shape."""
        try:
            answer = call()
        except openai.APIStatusError as error:
            body = error.body if isinstance(error.body, dict) else {}
            seen = (type(error).__name__, error.status_code, error.body)
            shaped = {"message", "type", "param", "code"} <= body.keys() and bool(body.get("message"))
            self.check(fact, isinstance(error, kind) and body.get("code") == code and shaped, seen)
        else:
            self.check(fact, False, answer)


def models(facts, client, model):
    listed = [entry.id for entry in client.models.list()]
    facts.check(f"the list of models has {model}", model in listed, listed)


def plain(facts, client, model):
    answer = client.chat.completions.create(model=model, messages=HELLO)
    choice = answer.choices[0]
    facts.check("a plain answer has words", bool(choice.message.content), answer)
    facts.check("a plain answer says that it stopped", choice.finish_reason == "stop", choice.finish_reason)
    facts.check("a plain answer is from the model that was asked", answer.model == model, answer.model)
    facts.check("a plain answer is a chat.completion", answer.object == "chat.completion", answer.object)


def stream(facts, client, model):
    chunks = list(
        client.chat.completions.create(model=model, messages=SLOWLY, stream=True, stream_options={"include_usage": True})
    )
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    words = [choice.delta.content for choice in choices if choice.delta.content]
    ends = [choice.finish_reason for choice in choices if choice.finish_reason]
    usage = [chunk.usage for chunk in chunks if chunk.usage]
    facts.check("a stream comes in several pieces", len(words) > 1, words)
    facts.check("a stream says once that it stopped", ends == ["stop"], ends)
    facts.check("a stream ends with usage when asked", len(usage) == 1 and usage[0].total_tokens > 0, usage)
    facts.check("a stream is from the model that was asked", {chunk.model for chunk in chunks} == {model}, chunks[0].model)
    left = client.chat.completions.create(model=model, messages=HELLO, stream=True)
    next(iter(left))
    left.close()
    again = client.chat.completions.create(model=model, messages=HELLO)
    facts.check("after a stream was left the next request is answered", bool(again.choices[0].message.content), again)


def tools(facts, client, model):
    answer = client.chat.completions.create(model=model, messages=CALL, tools=[CLOCK]).choices[0]
    calls = answer.message.tool_calls or []
    facts.check("a tool is called", [call.function.name for call in calls] == ["clock_now"], answer)
    facts.check("a tool call is the end of an answer", answer.finish_reason == "tool_calls", answer.finish_reason)
    result = {"role": "tool", "tool_call_id": calls[0].id, "content": "13:00"}
    after = client.chat.completions.create(model=model, messages=[*CALL, answer.message, result], tools=[CLOCK])
    facts.check("its result is answered", "13:00" in (after.choices[0].message.content or ""), after)
    chunks = client.chat.completions.create(model=model, messages=CALL, tools=[CLOCK], stream=True)
    pieces = [call for chunk in chunks if chunk.choices for call in chunk.choices[0].delta.tool_calls or []]
    arguments = "".join(piece.function.arguments or "" for piece in pieces)
    facts.check("its arguments stream", json.loads(arguments) == {"zone": "UTC"}, pieces)


def too_long(facts, client, model):
    words = [{"role": "user", "content": "word " * 100_000}]
    for stream in (False, True):
        facts.refuses(
            f"a prompt that is too long is a BadRequestError, stream={stream}", openai.BadRequestError, "context_length_exceeded",
            lambda stream=stream: list(client.chat.completions.create(model=model, messages=words, stream=stream)),
        )


def errors(facts, client, stranger, model):
    unknown = "fantasy/none"
    facts.refuses(
        "an unknown model is a NotFoundError", openai.NotFoundError, "model_not_found",
        lambda: client.chat.completions.create(model=unknown, messages=HELLO),
    )
    facts.refuses(
        "an unknown model is a NotFoundError in a stream", openai.NotFoundError, "model_not_found",
        lambda: list(client.chat.completions.create(model=unknown, messages=HELLO, stream=True)),
    )
    facts.refuses(
        "no messages are a BadRequestError", openai.BadRequestError, "bad_request",
        lambda: client.chat.completions.create(model=model, messages=[]),
    )
    if stranger:
        refuses_strangers(facts, stranger)


def refuses_strangers(facts, stranger):
    facts.refuses(
        "a wrong key is an AuthenticationError", openai.AuthenticationError, "unauthorized",
        lambda: stranger.models.list(),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--socket")
    parser.add_argument("--tools", action="store_true")
    parser.add_argument("where", nargs="*")
    parser.add_argument("model")
    args = parser.parse_args()

    facts = Facts()
    if args.socket:
        through = httpx2.Client(transport=httpx2.HTTPTransport(uds=args.socket), timeout=SECONDS)
        client = openai.OpenAI(base_url="http://spark/v1", api_key="none", max_retries=0, timeout=SECONDS, http_client=through)
        stranger = None
    else:
        base_url, key = args.where
        client = openai.OpenAI(base_url=base_url, api_key=key, max_retries=0, timeout=SECONDS)
        stranger = openai.OpenAI(base_url=base_url, api_key="not-the-key", max_retries=0, timeout=SECONDS)
    steps = (
        lambda: models(facts, client, args.model),
        lambda: plain(facts, client, args.model),
        lambda: stream(facts, client, args.model),
        lambda: errors(facts, client, stranger, args.model),
    )
    if args.tools:
        steps += (lambda: tools(facts, client, args.model), lambda: too_long(facts, client, args.model))
    for step in steps:
        try:
            step()
        except (openai.APIError, IndexError, StopIteration) as error:
            facts.check("the endpoint answers as the SDK expects", False, error)
    return 1 if facts.failed else 0


if __name__ == "__main__":
    sys.exit(main())
