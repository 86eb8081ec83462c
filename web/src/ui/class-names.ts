/** Classes one behind the other, without those that are not there. */
export function classes(...parts: (string | false | undefined)[]): string {
  return parts.filter(Boolean).join(" ");
}
