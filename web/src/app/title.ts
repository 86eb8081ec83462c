import { useEffect } from "react";

/** What the window is called while a page is shown, the most special first. */
export function usePageTitle(...parts: (string | undefined)[]): void {
  const title = [...parts.filter((part) => part !== undefined && part !== ""), "Timeloom"].join(" · ");
  useEffect(() => {
    document.title = title;
  }, [title]);
}
