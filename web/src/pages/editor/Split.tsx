import { useEffect, useState } from "react";
import { Splitter } from "@/ui";

/** Beside each other where there is room, else the panel over the canvas. */
export function Split({ main, panel }: { main: React.ReactNode; panel: React.ReactNode }) {
  const [isWide, setWide] = useState(() => matchMedia("(min-width: 900px)").matches);
  useEffect(() => {
    const query = matchMedia("(min-width: 900px)");
    const look = () => setWide(query.matches);
    query.addEventListener("change", look);
    return () => query.removeEventListener("change", look);
  }, []);
  if (!isWide) return <div className="flex min-h-0 min-w-0 flex-1 flex-col">{panel}</div>;
  return (
    <Splitter label="Canvas and node" first={main} second={panel} initial={60} min={25} max={80} keepAs="editor" />
  );
}
