// Rewrites an expression so that it sees only what it may see.
//
// Free names become properties of `$$`, the scope; calls of extension methods become calls of `$$.$$extend`;
// names that lead out of the data (`constructor`, `__proto__`, …) are refused.

import { parse } from 'acorn';
import { ExpressionError, InvalidSyntax } from '../errors.js';
import { isExtensionName } from '../extensions/index.js';
import { NATIVE_NAMES } from '../scope/globals.js';

const DENIED = new Set([
  '__proto__', 'prototype', 'constructor', 'getPrototypeOf', 'prepareStackTrace', 'mainModule', 'binding', '_linkedBinding',
  '_load', 'caller', 'callee', '__cqjs',
]);
const MUTATING = new Set([
  'sort', 'reverse', 'push', 'pop', 'shift', 'unshift', 'splice', 'fill', 'copyWithin', 'assign', 'add', 'delete', 'clear', 'set',
  'defineProperty', 'apply', 'call', 'bind',
]);
const FUNCTIONS = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression']);
const OPTIONS = { ecmaVersion: 'latest', sourceType: 'script' };

/** Refuses a property name that leads out of the data. */
export function checkKey(key) {
  const name = typeof key === 'symbol' || typeof key === 'number' ? key : String(key);
  if (DENIED.has(name)) throw new ExpressionError(`Cannot access "${name}" due to security concerns`);
  return name;
}

function children(node) {
  const found = [];
  for (const key in node) {
    const value = node[key];
    for (const part of Array.isArray(value) ? value : [value]) {
      if (part && typeof part.type === 'string' && typeof part.start === 'number') found.push(part);
    }
  }
  return found.sort((a, b) => a.start - b.start || a.end - b.end);
}

function patternNames(pattern, names) {
  if (!pattern) return;
  switch (pattern.type) {
    case 'Identifier':
      names.add(pattern.name);
      break;
    case 'ObjectPattern':
      for (const property of pattern.properties) patternNames(property.value ?? property.argument, names);
      break;
    case 'ArrayPattern':
      for (const element of pattern.elements) patternNames(element, names);
      break;
    case 'AssignmentPattern':
      patternNames(pattern.left, names);
      break;
    case 'RestElement':
      patternNames(pattern.argument, names);
      break;
    default:
  }
}

function declaredNames(node, names) {
  for (const child of children(node)) {
    if (child.type === 'VariableDeclarator') patternNames(child.id, names);
    if (child.type === 'CatchClause') patternNames(child.param, names);
    if (child.type === 'FunctionDeclaration' || child.type === 'ClassDeclaration') names.add(child.id.name);
    if (!FUNCTIONS.has(child.type)) declaredNames(child, names);
  }
}

const literalKey = (node) =>
  node.type === 'Literal' ? node.value : node.type === 'TemplateLiteral' && node.quasis.length === 1 ? node.quasis[0].value.cooked : undefined;

class Rewriter {
  constructor(source) {
    this.source = source;
    this.scopes = [];
    this.ownThis = 0;
    this.mutates = false;
    this.shorted = new Set();
  }

  text(node) {
    const special = this[node.type];
    return special ? special.call(this, node) : this.copy(node);
  }

  copy(node, start = node.start, end = node.end, parts = children(node)) {
    let output = '';
    let position = start;
    for (const child of parts) {
      if (child.start < position || child.end > end) continue;
      output += this.source.slice(position, child.start) + this.text(child);
      position = child.end;
    }
    return output + this.source.slice(position, end);
  }

  isDeclared(name) {
    return this.scopes.some((names) => names.has(name));
  }

  Identifier(node) {
    const { name } = node;
    if (this.isDeclared(name) || NATIVE_NAMES.has(name)) return name;
    if (name === 'arguments' && this.ownThis > 0) return name;
    checkKey(name);
    return `$$.${name}`;
  }

  ThisExpression() {
    return this.ownThis > 0 ? 'this' : '$$';
  }

  Property(node) {
    const key = node.computed ? undefined : node.key.name ?? String(node.key.value);
    if (key !== undefined) checkKey(key);
    if (node.shorthand) {
      if (node.value.type !== 'Identifier') return this.copy(node, node.start, node.end, [node.value]);
      const value = this.text(node.value);
      return value === key ? key : `${key}: ${value}`;
    }
    if (node.computed) {
      const before = this.source.slice(node.start, node.key.start);
      return `${before}$$.$$key(${this.text(node.key)})${this.copy(node, node.key.end, node.end, [node.value])}`;
    }
    return this.copy(node, node.start, node.end, [node.value]);
  }

  MethodDefinition(node) {
    if (!node.computed) checkKey(node.key.name ?? node.key.value);
    return node.computed ? this.copy(node) : this.copy(node, node.start, node.end, [node.value]);
  }

  PropertyDefinition(node) {
    if (!node.computed) checkKey(node.key.name ?? node.key.value);
    return node.computed ? this.copy(node) : this.copy(node, node.start, node.end, node.value ? [node.value] : []);
  }

  MemberExpression(node) {
    const object = this.text(node.object);
    const safe = this.shortened(node, node.object);
    const wrapped = this.needsParentheses(node.object) ? `(${object})` : object;
    if (!node.computed) {
      if (node.property.type === 'PrivateIdentifier') return `${wrapped}.#${node.property.name}`;
      checkKey(node.property.name);
      return `${wrapped}${this.gap(node)}${safe ? '?.' : '.'}${node.property.name}`;
    }
    const literal = literalKey(node.property);
    if (literal !== undefined) checkKey(literal);
    const key = literal === undefined ? `$$.$$key(${this.text(node.property)})` : this.text(node.property);
    return `${wrapped}${safe ? '?.' : ''}[${key}]`;
  }

  /** Numbers need their parentheses: `1.5.toFixed` is fine, `1.toFixed` is not. Parentheses are not part of nodes. */
  needsParentheses(node) {
    const plain = ['Identifier', 'MemberExpression', 'CallExpression', 'ThisExpression', 'ArrayExpression', 'TemplateLiteral', 'Super'];
    if (plain.includes(node.type)) return false;
    return !(node.type === 'Literal' && typeof node.value === 'string') && node.type !== 'ChainExpression';
  }

  /** Line breaks between object and property are kept, so that reported lines are right. */
  gap(node) {
    return this.source.slice(node.object.end, node.property.start).replace(/[^\n]/g, '');
  }

  CallExpression(node) {
    const { callee } = node;
    if (callee.type === 'Import' || callee.type === 'Super') throw new InvalidSyntax('invalid syntax');
    if (callee.type === 'Identifier' && callee.name === '$if' && !this.isDeclared('$if')) return this.ternary(node);
    if (callee.type !== 'MemberExpression' || callee.property.type === 'PrivateIdentifier') return this.plainCall(node);
    const name = callee.computed ? literalKey(callee.property) : callee.property.name;
    this.mutates ||= name === undefined || MUTATING.has(name);
    if (callee.computed || !isExtensionName(name) || callee.object.type === 'Super') return this.plainCall(node);
    const receiver = this.argument(callee.object);
    const optional = callee.optional || node.optional || this.hasOptional(callee.object);
    if (optional) this.shorted.add(node);
    const args = node.arguments.map((argument) => this.argument(argument)).join(', ');
    return `$$.$$extend(${receiver}, ${JSON.stringify(name)}, [${args}], ${optional})`;
  }

  /** Whether a link must be `?.`: by itself, or because a rewritten call before it may have been skipped. */
  shortened(node, before) {
    if (this.shorted.has(before)) this.shorted.add(node);
    return node.optional || this.shorted.has(before);
  }

  hasOptional(node) {
    if (node.type === 'MemberExpression') return node.optional || this.hasOptional(node.object);
    if (node.type === 'CallExpression') return node.optional || this.hasOptional(node.callee);
    return false;
  }

  argument(node) {
    return node.type === 'SequenceExpression' ? `(${this.text(node)})` : this.text(node);
  }

  plainCall(node) {
    const callee = this.text(node.callee);
    const safe = this.shortened(node, node.callee);
    const wrapped = this.needsParentheses(node.callee) ? `(${callee})` : callee;
    const args = node.arguments.map((argument) => this.argument(argument)).join(', ');
    return `${wrapped}${safe ? '?.' : ''}(${args})`;
  }

  /** `$if` evaluates only the branch that is taken. */
  ternary(node) {
    const [condition, yes, no] = node.arguments;
    if (!yes || node.arguments.some((argument) => argument.type === 'SpreadElement')) {
      throw new ExpressionError('expected two to three arguments (condition, valueIfTrue, valueIfFalse) for $if');
    }
    return `((${this.text(condition)}) ? (${this.text(yes)}) : (${no ? this.text(no) : 'false'}))`;
  }

  ChainExpression(node) {
    return `(${this.text(node.expression)})`;
  }

  AssignmentExpression(node) {
    this.mutates = true;
    return this.copy(node);
  }

  UpdateExpression(node) {
    this.mutates = true;
    return this.copy(node);
  }

  UnaryExpression(node) {
    this.mutates ||= node.operator === 'delete';
    return this.copy(node);
  }

  ImportExpression() {
    throw new InvalidSyntax('invalid syntax');
  }

  MetaProperty() {
    throw new InvalidSyntax('invalid syntax');
  }

  WithStatement() {
    throw new InvalidSyntax('invalid syntax');
  }

  LabeledStatement(node) {
    return this.copy(node, node.start, node.end, [node.body]);
  }

  BreakStatement(node) {
    return this.source.slice(node.start, node.end);
  }

  ContinueStatement(node) {
    return this.source.slice(node.start, node.end);
  }

  inFunction(node) {
    const names = new Set();
    for (const param of node.params) patternNames(param, names);
    if (node.id) names.add(node.id.name);
    declaredNames(node.body, names);
    this.scopes.push(names);
    const ownThis = node.type === 'ArrowFunctionExpression' ? 0 : 1;
    this.ownThis += ownThis;
    const text = this.copy(node);
    this.ownThis -= ownThis;
    this.scopes.pop();
    return text;
  }

  ClassExpression(node) {
    this.scopes.push(new Set(node.id ? [node.id.name] : []));
    this.ownThis += 1;
    const text = this.copy(node);
    this.ownThis -= 1;
    this.scopes.pop();
    return text;
  }

  FunctionExpression(node) {
    return this.inFunction(node);
  }

  ArrowFunctionExpression(node) {
    return this.inFunction(node);
  }

  FunctionDeclaration(node) {
    return this.inFunction(node);
  }
}

function parseCode(code) {
  const wrapped = `(${code}\n)`;
  try {
    const { body } = parse(wrapped, OPTIONS);
    // An expression that starts at the parenthesis itself was not closed by ours: `a) + (b`.
    if (body.length === 1 && body[0].type === 'ExpressionStatement' && body[0].expression.start > 0) {
      return { node: body[0].expression, source: wrapped };
    }
  } catch {
    // Not an expression; it may still be a statement that holds one.
  }
  const statements = parse(code, OPTIONS).body.filter((statement) => statement.type !== 'EmptyStatement');
  if (statements.length === 0) return undefined;
  if (statements.length > 1 || statements[0].type !== 'ExpressionStatement') throw new SyntaxError('not one expression');
  return { node: statements[0].expression, source: code };
}

/** JavaScript for one `{{ }}`, and whether running it may change the items. `undefined` when it is empty. */
export function rewrite(code) {
  let parsed;
  try {
    parsed = parseCode(code);
  } catch {
    throw new InvalidSyntax('invalid syntax');
  }
  if (!parsed) return undefined;
  const rewriter = new Rewriter(parsed.source);
  const text = rewriter.text(parsed.node);
  return { text, mutates: rewriter.mutates };
}
