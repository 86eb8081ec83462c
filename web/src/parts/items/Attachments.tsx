import { isRecord } from "@/parts/records";
import { useEffect, useState } from "react";
import { Button, Dialog, Icon, LinkButton, Skeleton, bytes } from "@/ui";
import { addressOf, download } from "@/ui/download";

export interface AttachmentsOf {
  executionId: string;
  node: string;
  run: number;
  output: number;
  /** A file that is here; absent where files are asked for at the server. */
  fileOf?: (file: Record<string, unknown>) => Blob | undefined;
}

interface Attachment {
  item: number;
  name: string;
  fileName: string;
  mimeType: string;
  size: number | undefined;
  address: string;
  /** The file itself, where it is here; `missing` where it is neither here nor at a server. */
  file?: Blob | "missing";
}

const SHOWN_MAX = 20;
/** Longer texts are cut, larger pictures are only downloaded. */
const TEXT_MAX = 200_000;
const PREVIEW_BYTES_MAX = 20 * 1024 * 1024;
const PICTURES = /^image\/(png|jpeg|gif|webp|bmp|avif)$/;
const TEXTS = /^(text\/|application\/(json|xml|x-ndjson|yaml|csv))|\+(json|xml)$/;

/** Files that items have: looked at, or downloaded. */
export function Attachments({ items, of }: { items: readonly unknown[]; of: AttachmentsOf }) {
  const [open, setOpen] = useState<Attachment | undefined>();
  const attachments = attachmentsIn(items, of);
  if (attachments.length === 0) return null;
  return (
    <>
      <ul aria-label="Attachments" className="flex flex-wrap gap-2 border-b px-3 py-2">
        {attachments.slice(0, SHOWN_MAX).map((one) => (
          <li
            key={`${one.item} ${one.name}`}
            className="flex items-center overflow-hidden rounded-md border text-[13px]"
          >
            <button type="button" className="max-w-56 truncate px-2 py-1 hover:bg-hover" onClick={() => setOpen(one)}>
              {one.fileName}
              <span className="ml-2 text-xs text-muted">
                {one.mimeType}
                {one.size !== undefined && ` · ${bytes(one.size)}`}
              </span>
            </button>
            <Download attachment={one} />
          </li>
        ))}
        {attachments.length > SHOWN_MAX && (
          <li className="self-center text-xs text-muted">and {attachments.length - SHOWN_MAX} more</li>
        )}
      </ul>
      <Dialog
        title={open?.fileName ?? "File"}
        isOpen={open !== undefined}
        onClose={() => setOpen(undefined)}
        size="large"
        footer={
          <>
            {open?.file === undefined ? (
              <LinkButton href={open?.address} download>
                Download
              </LinkButton>
            ) : (
              open.file !== "missing" && <Button onClick={() => give(open)}>Download</Button>
            )}
            <Button kind="primary" onClick={() => setOpen(undefined)}>
              Close
            </Button>
          </>
        }
      >
        {open && <Preview attachment={open} />}
      </Dialog>
    </>
  );
}

const DOWNLOAD = "border-l px-2 py-1 hover:bg-hover";

function give({ file, fileName }: Attachment): void {
  if (file instanceof Blob) download(fileName, file);
}

function Download({ attachment }: { attachment: Attachment }) {
  const { address, file, fileName } = attachment;
  if (file === "missing") return null;
  const label = `Download ${fileName}`;
  if (file)
    return (
      <button type="button" className={DOWNLOAD} aria-label={label} onClick={() => give(attachment)}>
        <Icon name="down" />
      </button>
    );
  return (
    <a href={address} download className={DOWNLOAD} aria-label={label}>
      <Icon name="down" />
    </a>
  );
}

type Seen =
  { kind: "picture"; address: string } | { kind: "text"; text: string; isCut: boolean } | { kind: "none"; why: string };

function Preview({ attachment }: { attachment: Attachment }) {
  const [seen, setSeen] = useState<Seen | undefined>();
  useEffect(() => {
    const stop = new AbortController();
    let release: (() => void) | undefined;
    const read = async (): Promise<Seen> => {
      const isPicture = PICTURES.test(attachment.mimeType);
      if (!isPicture && !TEXTS.test(attachment.mimeType))
        return { kind: "none", why: `Files of the type ${attachment.mimeType} are not shown here: download it.` };
      if ((attachment.size ?? 0) > PREVIEW_BYTES_MAX)
        return { kind: "none", why: "It is too large to be shown here: download it." };
      if (attachment.file === "missing") return { kind: "none", why: "It was left out when this was made." };
      const response = attachment.file
        ? new Response(attachment.file)
        : await fetch(attachment.address, { signal: stop.signal, credentials: "same-origin" });
      if (!response.ok) return { kind: "none", why: `The server did not give it: ${await response.text()}` };
      if (isPicture) {
        const picture = addressOf(await response.blob());
        release = picture.release;
        return { kind: "picture", address: picture.address };
      }
      const text = await response.text();
      return { kind: "text", text: text.slice(0, TEXT_MAX), isCut: text.length > TEXT_MAX };
    };
    read()
      .then((next) => {
        if (!stop.signal.aborted) setSeen(next);
      })
      .catch((error: unknown) => {
        if (!stop.signal.aborted) setSeen({ kind: "none", why: `It could not be read: ${String(error)}` });
      });
    return () => {
      stop.abort();
      release?.();
    };
  }, [attachment]);
  if (!seen) return <Skeleton className="h-40" />;
  if (seen.kind === "picture")
    return (
      <img src={seen.address} alt={attachment.fileName} className="mx-auto max-h-[60vh] max-w-full object-contain" />
    );
  if (seen.kind === "none") return <p className="text-sm text-muted">{seen.why}</p>;
  return (
    <>
      <pre tabIndex={0} className="max-h-[60vh] overflow-auto font-mono text-[12.5px] whitespace-pre-wrap">
        {seen.text}
      </pre>
      {seen.isCut && <p className="mt-2 text-xs text-muted">Only the beginning is shown.</p>}
    </>
  );
}

function attachmentsIn(items: readonly unknown[], of: AttachmentsOf): Attachment[] {
  return items.flatMap((item, index) => {
    if (!isRecord(item) || !isRecord(item.binary)) return [];
    return Object.entries(item.binary).flatMap(([name, file]) => {
      if (!isRecord(file)) return [];
      const asked = new URLSearchParams({
        node: of.node,
        run: String(of.run),
        output: String(of.output),
        item: String(index),
        name,
      });
      return [
        {
          item: index,
          name,
          fileName: typeof file.fileName === "string" ? file.fileName : name,
          mimeType: typeof file.mimeType === "string" ? file.mimeType : "application/octet-stream",
          size: typeof file.bytes === "number" ? file.bytes : undefined,
          address: `/binary/${of.executionId}?${asked.toString()}`,
          file: of.fileOf && (of.fileOf(file) ?? ("missing" as const)),
        },
      ];
    });
  });
}
