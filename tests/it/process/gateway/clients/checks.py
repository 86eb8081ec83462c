"""What the stock client from PyPI finds: each line that begins with `held` is one thing that is as it should be."""

import sys

import openai
from pydantic import BaseModel

URL, KEY, LIMITED, POOR = sys.argv[1:5]
HELLO = [{"role": "user", "content": "hello"}]
LOOK = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
SAID = "Good morning, how may I be of help to you today?"


class Person(BaseModel):
    name: str
    age: int


def client(key=KEY):
    return openai.OpenAI(base_url=f"{URL}/v1", api_key=key, max_retries=0, timeout=60)


def held(what, condition=True):
    assert condition, what
    print("held", what)


def speaks(asked, route):
    whole = asked.chat.completions.create(model=route, messages=HELLO, max_tokens=100)
    held(f"{route}: a whole answer", whole.choices[0].message.content == SAID)
    held(f"{route}: the reason of its end", whole.choices[0].finish_reason == "stop")
    held(f"{route}: a name by which it is found", len(whole._request_id) == 36)

    chunks = list(asked.chat.completions.create(model=route, messages=HELLO, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    held(f"{route}: a stream", text == SAID and len(chunks) > 2)
    held(f"{route}: no tokens that nobody asked for", all(chunk.usage is None for chunk in chunks))

    options = {"include_usage": True}
    chunks = list(asked.chat.completions.create(model=route, messages=HELLO, stream=True, stream_options=options))
    held(f"{route}: the tokens of a stream", chunks[-1].usage is not None and not chunks[-1].choices)

    weather = [{"role": "user", "content": "weather"}]
    for stream in (False, True):
        if stream:
            with asked.chat.completions.stream(model=route, messages=weather, tools=[LOOK]) as events:
                message = events.get_final_completion().choices[0].message
        else:
            message = asked.chat.completions.create(model=route, messages=weather, tools=[LOOK]).choices[0].message
        call = message.tool_calls[0].function
        held(f"{route}: a call of a tool, stream {stream}", (call.name, "the sky" in call.arguments) == ("look", True))


def fits_schemas(asked):
    for text in ("invent somebody", "invent wrongly"):
        messages = [{"role": "user", "content": text}]
        parsed = asked.chat.completions.parse(model="assistant", messages=messages, response_format=Person)
        held(f"an answer that fits a schema: {text}", parsed.choices[0].message.parsed == Person(name="Ada", age=36))
    try:
        asked.chat.completions.parse(model="unrepaired", messages=messages, response_format=Person)
        held("an answer that fits no schema", False)
    except openai.InternalServerError as error:
        held("an answer that fits no schema", "does not fit the schema" in str(error))


def embeds(asked):
    texts = ["one", "two", "one"]
    vectors = [item.embedding for item in asked.embeddings.create(model="assistant", input=texts).data]
    held("vectors as base64", len(vectors) == 3 and vectors[0] == vectors[2] != vectors[1])
    numbers = asked.embeddings.create(model="assistant", input=texts, encoding_format="float").data[0].embedding
    held("vectors as numbers", all(abs(one - two) < 1e-6 for one, two in zip(numbers, vectors[0])))


def lists(asked):
    names = [model.id for model in asked.models.list()]
    held("the list of routes", "assistant" in names and names == sorted(names))
    held("one route", asked.models.retrieve("assistant").id == "assistant")


def refuses(asked):
    try:
        client("timeloom_key_wrong").chat.completions.create(model="assistant", messages=HELLO)
        held("a wrong key", False)
    except openai.AuthenticationError as error:
        held("a wrong key", error.code == "invalid_api_key" and "timeloom_key_wrong" not in str(error))
    try:
        asked.chat.completions.create(model="nobody", messages=HELLO)
        held("an unknown route", False)
    except openai.NotFoundError as error:
        held("an unknown route", error.code == "model_not_found" and "nobody" in str(error))
    try:
        asked.chat.completions.create(model="assistant", messages=HELLO, temperature="hot")
        held("a request that is none", False)
    except openai.BadRequestError as error:
        held("a request that is none", error.type == "invalid_request_error")


def is_limited():
    limited = client(LIMITED)
    raw = limited.chat.completions.with_raw_response.create(model="assistant", messages=HELLO)
    held("what is left of a limit", raw.headers["x-ratelimit-remaining-requests"] == "1")
    limited.chat.completions.create(model="assistant", messages=HELLO)
    try:
        limited.chat.completions.create(model="assistant", messages=HELLO)
        held("a limit", False)
    except openai.RateLimitError as error:
        left = error.response.headers["x-ratelimit-remaining-requests"]
        held("a limit", error.code == "rate_limit_exceeded" and left == "0")
        held("a time to wait", 0 < int(error.response.headers["retry-after"]) <= 61)


def is_poor():
    poor = client(POOR)
    for calls in range(1, 30):
        try:
            poor.chat.completions.create(model="assistant", messages=HELLO, max_tokens=20)
        except openai.RateLimitError as error:
            held("a budget that holds", calls > 1 and "limit of money" in str(error))
            return
    held("a budget that holds", False)


def main():
    asked = client()
    for route in ("assistant", "by-anthropic", "by-ollama"):
        speaks(asked, route)
    fits_schemas(asked)
    embeds(asked)
    lists(asked)
    refuses(asked)
    is_limited()
    is_poor()


main()
