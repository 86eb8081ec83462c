"""What stock clients find of models of the server's own machine: each line that begins with `held` is as it should be."""

import sys

import anthropic
import ollama

URL = sys.argv[1]
CAPITAL = [{"role": "user", "content": "What is the capital of France?"}]
PARIS = "The capital of France is Paris."


def held(what, condition=True):
    assert condition, what
    print("held", what)


def main():
    older = {"anthropic-version": "2023-06-01"}
    asked = anthropic.Anthropic(base_url=URL, api_key="none is needed", max_retries=0, timeout=120, default_headers=older)
    # The client has no word for it any more; the protocol has.
    likeliest = {"temperature": 0}
    whole = asked.messages.create(model="smollm2", messages=CAPITAL, max_tokens=50, extra_body=likeliest)
    held("messages: a whole answer", whole.content[0].text == PARIS and whole.model == "smollm2@1")
    held("messages: its tokens", (whole.usage.output_tokens, whole.usage.input_tokens > 5) == (7, True))
    with asked.messages.stream(model="smollm2", messages=CAPITAL, max_tokens=50, extra_body=likeliest) as stream:
        held("messages: a stream", "".join(stream.text_stream) == PARIS)
        held("messages: the tokens of a stream", stream.get_final_message().usage.output_tokens == 7)
    short = asked.messages.create(model="smollm2", messages=CAPITAL, max_tokens=3, extra_body=likeliest)
    held("messages: an answer that is cut", short.stop_reason == "max_tokens")
    stopped = asked.messages.create(
        model="smollm2", messages=CAPITAL, max_tokens=50, extra_body=likeliest, stop_sequences=[" France"]
    )
    held("messages: an end before a text", stopped.content[0].text == "The capital of")
    held("messages: which text it was", (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", " France"))

    host = ollama.Client(host=URL, timeout=120, trust_env=False)
    options = {"temperature": 0, "num_predict": 50}
    held("chat: a whole answer", host.chat(model="smollm2", messages=CAPITAL, options=options).message.content == PARIS)
    lines = list(host.chat(model="smollm2", messages=CAPITAL, options=options, stream=True))
    held("chat: a stream", "".join(line.message.content for line in lines) == PARIS)
    held("chat: its tokens", (lines[-1].eval_count, lines[-1].prompt_eval_count > 5) == (7, True))
    cut = host.generate(model="smollm2", prompt=CAPITAL[0]["content"], options={"temperature": 0, "num_predict": 3})
    held("generate: an answer that is cut", cut.done_reason == "length" and PARIS.startswith(cut.response))

    texts = ["The server timed out.", "The request took too long and was aborted.", "The cat sat on the mat."]
    one, two, three = host.embed(model="minilm", input=texts).embeddings
    alike = [sum(a * b for a, b in zip(one, other)) for other in (two, three)]
    held("embed: vectors that tell what is alike", len(one) == 384 and alike[0] > alike[1] + 0.2)

    found = {model.model: model for model in host.list().models}
    held("tags: what is known of a file", len(found["smollm2"].digest) == 64 and found["smollm2"].size > 1_000_000)
    held("show: what it can do", host.show("smollm2").capabilities == ["completion"])
    held("show: what another can do", host.show("minilm").capabilities == ["embedding"])
    held("ps: what is in memory", {model.model for model in host.ps().models} == {"smollm2", "minilm"})


main()
