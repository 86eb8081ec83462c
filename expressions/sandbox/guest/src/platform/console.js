// `console`: lines are kept for the workflow's author, within bounds.

const LINES_MAX = 500;
const CHARACTERS_MAX = 64 * 1024;

let lines = [];
let characters = 0;

function show(value) {
  if (typeof value === 'string') return value;
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (typeof value !== 'object' || value === null) return typeof value === 'bigint' ? `${value}n` : String(value);
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}

function log(...values) {
  if (lines.length >= LINES_MAX || characters >= CHARACTERS_MAX) return;
  const line = values.map(show).join(' ').slice(0, CHARACTERS_MAX - characters);
  characters += line.length;
  lines.push(line);
  if (lines.length === LINES_MAX || characters >= CHARACTERS_MAX) lines.push('[more output was dropped]');
}

/** Takes the lines written so far. */
export function takeConsole() {
  const taken = lines;
  lines = [];
  characters = 0;
  return taken;
}

const names = ['log', 'info', 'warn', 'error', 'debug', 'trace', 'dir', 'table'];
const console = Object.fromEntries(names.map((name) => [name, log]));
const silent = ['group', 'groupEnd', 'time', 'timeEnd', 'assert', 'count'];
for (const name of silent) console[name] = () => {};
Object.defineProperty(globalThis, 'console', { value: console, writable: true, configurable: true });
