import { useState } from "react";
import { toast } from "../api/toasts";
import { IconButton } from "./Button";
import { Icon } from "./Icon";

export function CopyButton({ text, label = "Copy" }: { text: string | (() => string); label?: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    try {
      // Browsers give no clipboard to pages that came without TLS.
      await navigator.clipboard.writeText(typeof text === "string" ? text : text());
      setCopied(true);
      setTimeout(() => setCopied(false), 1_500);
    } catch {
      toast({
        tone: "bad",
        title: "It was not copied",
        advice: "Mark the text and copy it by hand: the browser did not allow it.",
      });
    }
  };
  return (
    <IconButton
      size="small"
      label={isCopied ? "Copied" : label}
      icon={<Icon name={isCopied ? "check" : "copy"} />}
      onClick={() => void copy()}
    />
  );
}
