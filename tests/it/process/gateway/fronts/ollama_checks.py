"""What the stock client of Ollama finds: each line that begins with `held` is one thing that is as it should be."""

import sys

import ollama
from pydantic import BaseModel

URL, KEY, LIMITED, POOR = sys.argv[1:5]
HELLO = [{"role": "user", "content": "hello"}]
WEATHER = [{"role": "user", "content": "weather"}]
LOOK = {
    "type": "function",
    "function": {"name": "look", "parameters": {"type": "object", "properties": {"at": {"type": "string"}}}},
}
SAID = "Good morning, how may I be of help to you today?"


class Person(BaseModel):
    name: str
    age: int


def client(key=KEY):
    return ollama.Client(host=URL, headers={"Authorization": f"Bearer {key}"}, timeout=60, trust_env=False)


def held(what, condition=True):
    assert condition, what
    print("held", what)


def refused(what, status, told, ask):
    try:
        ask()
        held(what, False)
    except ollama.ResponseError as error:
        held(what, (error.status_code == status and told in error.error) or print(error.status_code, error.error))


def speaks(asked, route):
    whole = asked.chat(model=route, messages=HELLO, options={"temperature": 0, "num_predict": 100, "num_ctx": 2048})
    held(f"{route}: a whole answer", (whole.message.role, whole.message.content) == ("assistant", SAID))
    held(f"{route}: the end of it", whole.done and whole.done_reason == "stop" and whole.model == route)
    held(f"{route}: tokens and times", whole.eval_count >= 0 and whole.total_duration >= whole.eval_duration >= 0)
    lines = list(asked.chat(model=route + ":latest", messages=HELLO, stream=True))
    text = "".join(line.message.content for line in lines)
    held(f"{route}: a stream", text == SAID and len(lines) > 2 and [line.done for line in lines].index(True) == len(lines) - 1)
    written = asked.generate(model=route, prompt="hello", system="Be brief.")
    held(f"{route}: a text to go on with", written.response == SAID and written.done)
    lines = list(asked.generate(model=route, prompt="hello", stream=True))
    held(f"{route}: the same as a stream", "".join(line.response for line in lines) == SAID and lines[-1].done)


def calls_tools(asked, route):
    whole = asked.chat(model=route, messages=WEATHER, tools=[LOOK]).message
    call = whole.tool_calls[0].function
    held(f"{route}: a call of a tool", (call.name, call.arguments) == ("look", {"at": "the sky"}))
    lines = list(asked.chat(model=route, messages=WEATHER, tools=[LOOK], stream=True))
    calls = [call.function for line in lines for call in line.message.tool_calls or []]
    held(f"{route}: a call of a tool in a stream", [(call.name, call.arguments) for call in calls] == [(call.name, call.arguments)])
    result = {"role": "tool", "tool_name": "look", "content": "clouds"}
    after = asked.chat(model=route, messages=WEATHER + [whole, result] + HELLO, tools=[LOOK])
    held(f"{route}: what a tool gave", after.message.content == SAID)


def fits_schemas(asked):
    people = [{"role": "user", "content": "invent somebody"}]
    whole = asked.chat(model="assistant", messages=people, format=Person.model_json_schema())
    held("an answer that fits a schema", Person.model_validate_json(whole.message.content).name == "Ada")
    text = asked.generate(model="assistant", prompt="invent somebody", format="json").response
    held("an answer that is JSON", Person.model_validate_json(text).age == 36)


def embeds(asked):
    vectors = asked.embed(model="assistant", input=["one", "two", "one"]).embeddings
    held("vectors", len(vectors) == 3 and vectors[0] == vectors[2] != vectors[1])
    one = asked.embeddings(model="assistant", prompt="one").embedding
    held("a vector of the older form", list(one) == list(vectors[0]))


def lists(asked):
    names = [model.model for model in asked.list().models]
    held("the list of routes", "assistant" in names and names == sorted(names))
    shown = asked.show("assistant")
    held("one route", "completion" in shown.capabilities and shown.modelinfo["general.name"] == "assistant")
    held("what is in memory", list(asked.ps().models) == [])
    held("a model that is only to be loaded", asked.generate(model="assistant").done_reason == "load")


def refuses(asked):
    wrong = client("timeloom_key_wrong")
    refused("a wrong key", 401, "key", lambda: wrong.chat(model="assistant", messages=HELLO))
    unknown = "there is no route 'nobody'"
    refused("an unknown route", 404, unknown, lambda: asked.chat(model="nobody", messages=HELLO))
    refused("an unknown route of vectors", 404, unknown, lambda: asked.embed(model="nobody", input="one"))
    refused("an unknown route to be shown", 404, unknown, lambda: asked.show("nobody"))
    hot = {"temperature": "hot"}
    told = "'options.temperature' must be a number"
    refused("a temperature that is none", 400, told, lambda: asked.chat(model="assistant", messages=HELLO, options=hot))
    told = "'raw' must be false"
    refused("words of the model's own", 400, told, lambda: asked.generate(model="assistant", prompt="hello", raw=True))
    told = "'suffix' must be left out"
    refused("a text to be filled in", 400, told, lambda: asked.generate(model="assistant", prompt="a", suffix="b"))
    picture = [{"role": "user", "content": "hello", "images": ["AAAA"]}]
    told = "'messages[0].images' must be"
    refused("a picture that is none", 400, told, lambda: asked.chat(model="assistant", messages=picture))
    refused("a model to be pulled", 501, "timeloom model add", lambda: asked.pull("llama3"))
    refused("the same as a stream", 501, "timeloom model add", lambda: list(asked.pull("llama3", stream=True)))
    refused("a model to be pushed", 501, "not sent elsewhere", lambda: asked.push("me/llama3"))
    refused("a model to be made", 501, "timeloom model add", lambda: asked.create("mine", from_="llama3"))
    refused("a model to be copied", 501, "timeloom gateway route set", lambda: asked.copy("assistant", "another"))
    refused("a model to be deleted", 501, "timeloom model retire", lambda: asked.delete("assistant"))


def is_limited():
    limited = client(LIMITED)
    for _ in range(2):
        limited.chat(model="assistant", messages=HELLO)
    refused("a limit", 429, "requests", lambda: limited.chat(model="assistant", messages=HELLO, stream=False))


def is_poor():
    poor = client(POOR)
    for calls in range(1, 30):
        try:
            poor.generate(model="assistant", prompt="hello", options={"num_predict": 20})
        except ollama.ResponseError as error:
            held("a budget that holds", calls > 1 and error.status_code == 429 and "limit of money" in error.error)
            return
    held("a budget that holds", False)


def main():
    asked = client()
    for route in ("assistant", "by-anthropic", "by-ollama"):
        speaks(asked, route)
        calls_tools(asked, route)
    fits_schemas(asked)
    embeds(asked)
    lists(asked)
    refuses(asked)
    is_limited()
    is_poor()


main()
