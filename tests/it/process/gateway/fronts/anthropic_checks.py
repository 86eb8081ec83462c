"""What the stock client of Anthropic's messages finds: each line that begins with `held` is one thing that is as it should be."""

import sys

import anthropic
from pydantic import BaseModel

URL, KEY, LIMITED, POOR = sys.argv[1:5]
HELLO = [{"role": "user", "content": "hello"}]
WEATHER = [{"role": "user", "content": "weather"}]
LOOK = {"name": "look", "description": "Looks.", "input_schema": {"type": "object", "properties": {"at": {"type": "string"}}}}
SAID = "Good morning, how may I be of help to you today?"
BRIEF = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]


class Person(BaseModel):
    name: str
    age: int


def client(key=KEY):
    return anthropic.Anthropic(base_url=URL, api_key=key, max_retries=0, timeout=60)


def held(what, condition=True):
    assert condition, what
    print("held", what)


def refused(what, kind, error_type, told, **asked):
    try:
        client().messages.create(**{"model": "assistant", "messages": HELLO, "max_tokens": 20} | asked)
        held(what, False)
    except kind as error:
        body = error.body
        right = body["type"] == "error" and body["error"]["type"] == error_type
        held(what, right and told in body["error"]["message"] or print(error.body))


def speaks(asked, route):
    whole = asked.messages.create(model=route, messages=HELLO, max_tokens=100, system=BRIEF, stop_sequences=["STOP"])
    held(f"{route}: a whole answer", [block.text for block in whole.content] == [SAID])
    held(f"{route}: the reason of its end", (whole.stop_reason, whole.stop_sequence) == ("end_turn", None))
    held(f"{route}: a name by which it is found", len(whole._request_id) == 36)
    held(f"{route}: its tokens", whole.usage.output_tokens >= 0 and whole.role == "assistant" and whole.type == "message")

    older = {"anthropic-version": "2023-06-01"}
    with asked.messages.stream(model=route, messages=HELLO, max_tokens=100, system="Be brief.", extra_headers=older) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    held(f"{route}: a stream", text == SAID == final.content[0].text and final.stop_reason == "end_turn")
    events = [event.type for event in asked.messages.create(model=route, messages=HELLO, max_tokens=100, stream=True)]
    ends = ["content_block_stop", "message_delta", "message_stop"]
    deltas = set(events[2:-3])
    held(f"{route}: events in their order", events[:2] == ["message_start", "content_block_start"] and events[-3:] == ends)
    held(f"{route}: pieces between them", deltas == {"content_block_delta"} and len(events) > 6)


def calls_tools(asked, route):
    whole = asked.messages.create(model=route, messages=WEATHER, max_tokens=100, tools=[LOOK], tool_choice={"type": "auto"})
    call = next(block for block in whole.content if block.type == "tool_use")
    held(f"{route}: a call of a tool", (call.name, call.input, whole.stop_reason) == ("look", {"at": "the sky"}, "tool_use"))
    with asked.messages.stream(model=route, messages=WEATHER, max_tokens=100, tools=[LOOK]) as stream:
        streamed = next(block for block in stream.get_final_message().content if block.type == "tool_use")
    held(f"{route}: a call of a tool in a stream", (streamed.name, streamed.input) == (call.name, call.input))
    held(f"{route}: an id of the call", bool(call.id and streamed.id))
    result = {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "clouds"}]}
    answered = WEATHER + [
        {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in whole.content]},
        {"role": "user", "content": [result, {"type": "text", "text": "hello"}]},
    ]
    after = asked.messages.create(model=route, messages=answered, max_tokens=100, tools=[LOOK])
    held(f"{route}: what a tool gave", after.content[0].text == SAID)


def fits_schemas(asked):
    people = [{"role": "user", "content": "invent somebody"}]
    form = {"format": {"type": "json_schema", "schema": Person.model_json_schema()}}
    whole = asked.messages.create(model="assistant", messages=people, max_tokens=100, output_config=form)
    held("an answer that fits a schema", Person.model_validate_json(whole.content[0].text).age == 36)


def counts(asked):
    few = asked.messages.count_tokens(model="assistant", messages=HELLO).input_tokens
    many = asked.messages.count_tokens(model="assistant", messages=HELLO, system="word " * 300, tools=[LOOK]).input_tokens
    held("tokens are counted", 0 < few < 100 < many)
    try:
        asked.messages.count_tokens(model="nobody", messages=HELLO)
        held("tokens of an unknown route", False)
    except anthropic.NotFoundError:
        held("tokens of an unknown route")


def lists(asked):
    names = [model.id for model in asked.models.list(limit=2)]
    held("the list of routes, page by page", len(names) > 2 and "assistant" in names and names == sorted(names))
    held("one route", asked.models.retrieve("assistant").type == "model")
    bearer = anthropic.Anthropic(base_url=URL, auth_token=KEY, max_retries=0)
    held("a key as a token", bearer.models.retrieve("assistant").id == "assistant")


def refuses():
    try:
        client("timeloom_key_wrong").messages.create(model="assistant", messages=HELLO, max_tokens=20)
        held("a wrong key", False)
    except anthropic.AuthenticationError as error:
        held("a wrong key", error.body["error"]["type"] == "authentication_error" and "key_wrong" not in str(error))
    wrong = anthropic.BadRequestError
    invalid = "invalid_request_error"
    refused("an unknown route", anthropic.NotFoundError, "not_found_error", "there is no route 'nobody'", model="nobody")
    refused("a temperature that is none", wrong, invalid, "'temperature' must be a number", extra_body={"temperature": "hot"})
    refused("an answer of no tokens", wrong, invalid, "'max_tokens' must be a whole number", max_tokens=0)
    refused("no messages", wrong, invalid, "'messages' must be a list of 1 to", messages=[])
    refused("a field that has no word here", wrong, invalid, "'container' must be left out", extra_body={"container": "c"})
    search = {"type": "web_search_20250305", "name": "web_search"}
    refused("a tool of the provider", wrong, invalid, "'tools[0].type' must be custom", tools=[search])
    document = [{"role": "user", "content": [{"type": "document", "source": {}}]}]
    refused("a block that has no word here", wrong, invalid, "'messages[0].content[0].type'", messages=document)
    refused("an earlier version", wrong, invalid, "anthropic-version", extra_headers={"anthropic-version": "2023-01-01"})
    huge = [{"role": "user", "content": "x" * (33 << 20)}]
    # A server may hang up on whoever goes on sending; either way it is no answer.
    try:
        refused("a body that is too large", anthropic.ContentTooLargeError, "request_too_large", "32 MiB", messages=huge)
    except anthropic.APIConnectionError:
        held("a body that is too large")


def is_limited():
    limited = client(LIMITED)
    raw = limited.messages.with_raw_response.create(model="assistant", messages=HELLO, max_tokens=20)
    held("what is left of a limit", raw.headers["anthropic-ratelimit-requests-remaining"] == "1")
    limited.messages.create(model="assistant", messages=HELLO, max_tokens=20)
    try:
        limited.messages.create(model="assistant", messages=HELLO, max_tokens=20)
        held("a limit", False)
    except anthropic.RateLimitError as error:
        held("a limit", error.body["error"]["type"] == "rate_limit_error")
        held("a time to wait", 0 < int(error.response.headers["retry-after"]) <= 61)


def is_poor():
    poor = client(POOR)
    for calls in range(1, 30):
        try:
            poor.messages.create(model="assistant", messages=HELLO, max_tokens=20)
        except anthropic.RateLimitError as error:
            held("a budget that holds", calls > 1 and "limit of money" in str(error))
            return
    held("a budget that holds", False)


def main():
    asked = client()
    for route in ("assistant", "by-anthropic", "by-ollama"):
        speaks(asked, route)
        calls_tools(asked, route)
    fits_schemas(asked)
    counts(asked)
    lists(asked)
    refuses()
    is_limited()
    is_poor()


main()
