// Splits a template into text and code, at `{{` and `}}`. A backslash before either makes it text.

const OPEN = /(\\|)(\{\{)/g;
const CLOSE = /(\\|)(\}\})/g;

/** Parts `{ text }` and `{ code }` of a template. */
export function split(template) {
  const parts = [];
  let position = 0;
  let inCode = false;
  let buffer = '';
  for (;;) {
    const search = inCode ? CLOSE : OPEN;
    search.lastIndex = position;
    const match = search.exec(template);
    if (!match) break;
    buffer += template.slice(position, match.index);
    position = match.index + match[0].length;
    if (match[1]) {
      buffer += inCode ? '}}' : '{{';
      continue;
    }
    parts.push(inCode ? { code: buffer } : { text: buffer });
    buffer = '';
    inCode = !inCode;
  }
  const rest = buffer + template.slice(position);
  parts.push({ text: inCode ? `{{${rest}` : rest });
  return parts.filter((part) => part.code !== undefined || part.text !== '');
}
