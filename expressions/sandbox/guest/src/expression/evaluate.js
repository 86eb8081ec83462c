// Evaluates templates. A template is compiled once in a session.

import { ExpressionError, limitOf } from '../errors.js';
import { extend } from '../extensions/index.js';
import { globalNames } from '../scope/globals.js';
import { DateTime } from '../zones.js';
import { forgetItems } from '../scope/state.js';
import { defineVariables } from '../scope/variables.js';
import { checkKey, rewrite } from './rewrite.js';
import { split } from './split.js';

/** Nested `$parameter` and `$evaluateExpression`. */
const DEPTH_MAX = 50;

const compiled = new Map();
let itemIndex = 0;
let depth = 0;

const scope = globalNames();
defineVariables(scope, () => itemIndex, (template, index) => evaluateTemplate(template, index));
scope.$$extend = extend;
scope.$$key = checkKey;
// `this` is the scope; as a value it shows nothing.
for (const name of Object.keys(scope)) Object.defineProperty(scope, name, { enumerable: false });

function compilePart(part) {
  if (part.code === undefined) return { text: part.text };
  if (/\.\s*constructor/.test(part.code)) {
    throw new ExpressionError('Expression contains invalid constructor function call', {
      description: 'Constructor override attempt is not allowed due to security concerns',
    });
  }
  const rewritten = rewrite(part.code);
  if (!rewritten) return { run: () => undefined, mutates: false };
  return { run: new Function('$$', `"use strict"; return (${rewritten.text}\n)`), mutates: rewritten.mutates };
}

function compile(template) {
  const known = compiled.get(template);
  if (known) return known;
  const parts = split(template).map(compilePart);
  const program = { parts, sole: parts.length === 1 && parts[0].run !== undefined, mutates: parts.some((part) => part.mutates) };
  compiled.set(template, program);
  return program;
}

function runPart(part) {
  if (part.run === undefined) return part.text;
  try {
    // What an expression assigns, it keeps to itself.
    return part.run(part.mutates ? Object.create(scope) : scope);
  } catch (error) {
    if (error instanceof ExpressionError || limitOf(error) !== undefined) throw error;
    return undefined;
  }
}

/** The value of a template for one item. */
export function evaluateTemplate(template, index) {
  if (depth >= DEPTH_MAX) throw new ExpressionError('the expression refers to itself');
  const program = compile(template);
  const outer = itemIndex;
  itemIndex = index;
  depth += 1;
  try {
    const value = run(program);
    if (typeof value === 'function') throw functionError(value);
    return value;
  } finally {
    itemIndex = outer;
    depth -= 1;
    if (program.mutates) forgetItems();
  }
}

function run(program) {
  if (program.sole) return runPart(program.parts[0]);
  let text = '';
  for (const part of program.parts) {
    const value = runPart(part);
    if (value || value === 0 || value === false) text += asText(value);
  }
  return text;
}

function asText(value) {
  try {
    return String(value);
  } catch {
    return '[object Object]';
  }
}

function functionError(value) {
  const isLuxon = value === DateTime;
  return new ExpressionError(isLuxon ? 'this is a DateTime, please access its methods' : 'this is a function, please add ()', {
    description: 'A function has no value of its own: call it.',
  });
}
