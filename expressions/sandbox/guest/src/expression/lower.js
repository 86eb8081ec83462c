// Turns `async` and `await` of a Code node's script into generators that `promise.js` drives.
// Line numbers stay as they are: nothing adds or removes a line break.

import { parse } from 'acorn';
import { InvalidSyntax } from '../errors.js';

const FUNCTIONS = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression']);

function children(node) {
  const found = [];
  for (const key in node) {
    const value = node[key];
    for (const part of Array.isArray(value) ? value : [value]) {
      if (part && typeof part.type === 'string' && typeof part.start === 'number') found.push(part);
    }
  }
  return found.sort((a, b) => a.start - b.start);
}

class Lowering {
  constructor(source) {
    this.source = source;
    this.inAsyncGenerator = false;
  }

  /** The text of a node, with its parts lowered. */
  text(node) {
    if (FUNCTIONS.has(node.type)) return this.inFunction(node);
    if (node.type === 'AwaitExpression') {
      const value = this.text(node.argument);
      return this.inAsyncGenerator ? `(yield $$awaited(${value}))` : `(yield (${value}))`;
    }
    if (node.type === 'ForOfStatement' && node.await) return this.forAwait(node);
    if ((node.type === 'MethodDefinition' || node.type === 'Property') && node.value?.async) return this.method(node);
    return this.copy(node, node.start, node.end);
  }

  copy(node, start, end, skip) {
    let output = '';
    let position = start;
    for (const child of children(node)) {
      if (child.start < position || child.end > end || child === skip) continue;
      output += this.source.slice(position, child.start) + this.text(child);
      position = child.end;
    }
    return output + this.source.slice(position, end);
  }

  forAwait(node) {
    const step = this.inAsyncGenerator ? '$$awaited' : '$$plain';
    const head = this.source.slice(node.start, node.left.start).replace(/await/, '     ');
    const tail = this.copy(node, node.right.end, node.end);
    return `${head}${this.text(node.left)} of (yield* $$collectAsync(${this.text(node.right)}, ${step}))${tail}`;
  }

  inFunction(node) {
    const outer = this.inAsyncGenerator;
    this.inAsyncGenerator = Boolean(node.async && node.generator);
    const text = node.async ? this.asyncFunction(node) : this.copy(node, node.start, node.end);
    this.inAsyncGenerator = outer;
    return text;
  }

  asyncFunction(node) {
    const head = this.copy(node, node.start, node.body.start, node.body).replace(/^async\b/, '').replace(/^(\s*function\s*)\*/, '$1');
    return head + this.asyncBody(node);
  }

  asyncBody(node) {
    const run = node.generator ? '$$runAsyncGenerator' : '$$runAsync';
    const args = node.type === 'ArrowFunctionExpression' ? '[]' : 'arguments';
    const body = node.body.type === 'BlockStatement' ? this.text(node.body) : `{ return (${this.text(node.body)}) }`;
    return `{ return ${run}(this, ${args}, function*() ${body}) }`;
  }

  method(node) {
    const outer = this.inAsyncGenerator;
    this.inAsyncGenerator = Boolean(node.value.generator);
    const keyStart = node.computed ? this.source.lastIndexOf('[', node.key.start) : node.key.start;
    const isStatic = node.static ? 'static ' : '';
    let text;
    if (node.type === 'Property' && !node.method) {
      text = this.source.slice(node.start, node.value.start) + this.inFunction(node.value);
    } else {
      const params = this.copy(node.value, node.value.start, node.value.body.start, node.value.body);
      text = isStatic + this.source.slice(keyStart, node.value.start) + params + this.asyncBody(node.value);
    }
    this.inAsyncGenerator = outer;
    return text;
  }
}

/** The script as the body of a generator. */
export function lower(code) {
  if (!/\b(async|await)\b/.test(code)) return code;
  let program;
  try {
    program = parse(code, {
      ecmaVersion: 'latest',
      sourceType: 'script',
      allowReturnOutsideFunction: true,
      allowAwaitOutsideFunction: true,
      allowSuperOutsideMethod: true,
    });
  } catch (error) {
    throw Object.assign(new InvalidSyntax(error.message.replace(/ \(\d+:\d+\)$/, '')), { line: error.loc?.line });
  }
  const lowering = new Lowering(code);
  return lowering.copy(program, 0, code.length);
}
