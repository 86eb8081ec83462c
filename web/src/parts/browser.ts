/** What a browser is called, as far as it says. */
export function browserOf(userAgent: string | null | undefined): string {
  if (!userAgent) return "unknown program";
  const found = /(Edg|OPR|Firefox|HeadlessChrome|Chrome|Version|curl)\/(\d+)/.exec(
    userAgent.includes("Edg/") ? userAgent.slice(userAgent.indexOf("Edg/")) : userAgent,
  );
  const names: Record<string, string> = { Edg: "Edge", OPR: "Opera", HeadlessChrome: "Chrome", Version: "Safari" };
  return found?.[1] === undefined ? userAgent.slice(0, 30) : (names[found[1]] ?? found[1]);
}
