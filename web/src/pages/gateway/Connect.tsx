import { Link } from "@tanstack/react-router";
import { useQuery } from "urql";
import { Dialog } from "@/ui";
import { CodeBlock } from "@/ui/CodeBlock";
import { Setup } from "./documents";

export function Connect({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  return (
    <Dialog title="Connect a client" isOpen={isOpen} onClose={onClose}>
      <ConnectLines />
    </Dialog>
  );
}

/** How clients of each protocol ask by this gateway, as lines to be copied. */
export function ConnectLines() {
  const [{ data }] = useQuery({ query: Setup, variables: {}, requestPolicy: "cache-first" });
  const name = data?.gatewayRoutes[0]?.name ?? "ROUTE";
  const origin = location.origin;
  const url = `${origin}/v1`;
  const message = `{"model": "${name}", "messages": [{"role": "user", "content": "Good morning"}]}`;
  return (
    <div className="flex flex-col gap-3 text-left text-sm">
      <p className="text-muted">
        Any client of OpenAI, Anthropic or Ollama works as it is: give it this address and a key of Timeloom. The model
        that it names is the{" "}
        <Link to="/gateway" search={{ tab: "routes" }} className="text-accent underline">
          route
        </Link>
        . Keys are made under{" "}
        <Link to="/admin/$section" params={{ section: "keys" }} className="text-accent underline">
          Admin, Keys
        </Link>
        ; their account needs the permission to run executions.
      </p>
      <h3 className="text-[13px] font-medium text-text">For most clients</h3>
      <CodeBlock label="variables" code={`export OPENAI_BASE_URL=${url}\nexport OPENAI_API_KEY=timeloom_key_…`} />
      <h3 className="text-[13px] font-medium text-text">Python</h3>
      <CodeBlock
        label="Python"
        code={`from openai import OpenAI\n\nclient = OpenAI(base_url="${url}", api_key="timeloom_key_…")\nanswer = client.chat.completions.create(\n    model="${name}", messages=[{"role": "user", "content": "Good morning"}])\nprint(answer.choices[0].message.content)`}
      />
      <h3 className="text-[13px] font-medium text-text">Shell</h3>
      <CodeBlock
        label="Shell"
        code={`curl ${url}/chat/completions \\\n  -H "authorization: Bearer $OPENAI_API_KEY" -H "content-type: application/json" \\\n  -d '${message}'`}
      />
      <h3 className="text-[13px] font-medium text-text">Anthropic and Ollama</h3>
      <CodeBlock
        label="Anthropic and Ollama"
        code={`export ANTHROPIC_BASE_URL=${origin}\nexport ANTHROPIC_API_KEY=timeloom_key_…\nexport OLLAMA_HOST=${origin}\nexport OLLAMA_API_KEY=timeloom_key_…`}
      />
    </div>
  );
}
