// Runs the scripts of Code, Function, Function Item and Sort nodes.

import { checkLength, errorAnswer, stringify } from '../answer.js';
import { InvalidSyntax } from '../errors.js';
import { evaluateTemplate } from '../expression/evaluate.js';
import { lower } from '../expression/lower.js';
import { takeConsole } from '../platform/console.js';
import { awaited, clearJobs, collectAsync, drain, runAsync, runAsyncGenerator } from '../platform/promise.js';
import { allItems, forgetItems, state } from '../scope/state.js';
import { defineVariables } from '../scope/variables.js';
import { DateTime, Duration, Interval } from '../zones.js';
import { helpers } from './helpers.js';
import { memory } from './memory.js';
import { checkEachItem, functionItemJson, functionItems, itemsOfAll } from './validate.js';

/** Lines that `new Function` and our wrapper put before the script. */
const LINES_BEFORE = 2;

function requireNothing(name) {
  throw new Error(`module '${name}' is not available: scripts run in a sandbox without modules; DateTime, Buffer, URL and helpers are built in`);
}

/** The variables of a script, as an object for `with`. */
function scriptScope(itemIndex, context) {
  const scope = Object.create(null);
  defineVariables(scope, itemIndex, evaluateTemplate, true);
  scope.DateTime = DateTime;
  scope.Duration = Duration;
  scope.Interval = Interval;
  scope.require = requireNothing;
  scope.helpers = helpers;
  scope.getNodeParameter = (name, fallback) => scope.$parameter[name] ?? fallback;
  scope.getExecutionId = () => state.scope.execution.id;
  scope.getMode = () => scope.$mode;
  scope.getTimezone = () => state.scope.timezone;
  scope.getWorkflow = () => ({ ...state.scope.workflow });
  scope.getNode = () => ({ ...state.scope.node });
  scope.getWorkflowStaticData = context.staticData;
  scope.$getWorkflowStaticData = context.staticData;
  scope.getContext = context.nodeContext;
  scope.$$runAsync = runAsync;
  scope.$$runAsyncGenerator = runAsyncGenerator;
  scope.$$awaited = awaited;
  scope.$$plain = (value) => value;
  scope.$$collectAsync = collectAsync;
  return scope;
}

function compile(code, parameters = '') {
  const lowered = lower(code);
  const body = lowered === code ? `function(${parameters}) {` : `function*(${parameters}) {`;
  const call = lowered === code ? 'return $$script;' : 'return function(...$$args) { return $$runAsync(this, $$args, $$script); };';
  try {
    return new Function('$$', `with ($$) { const $$script = ${body} ${lowered}\n}; ${call} }`);
  } catch (error) {
    const line = /<input>:(\d+)/.exec(String(error.stack))?.[1];
    throw Object.assign(new InvalidSyntax(error.message), { line: line && Number(line) - LINES_BEFORE });
  }
}

/** The settled value of what a script returned. */
function settled(value) {
  if (!(value instanceof Promise)) return value;
  let outcome;
  value.then((result) => (outcome = { result }), (error) => (outcome = { error }));
  drain();
  if (!outcome) throw new Error('the script waits for a promise that never settles');
  if ('error' in outcome) throw outcome.error;
  return outcome.result;
}

function thisOf(scope) {
  return {
    helpers,
    getNodeParameter: scope.getNodeParameter,
    getWorkflowStaticData: scope.getWorkflowStaticData,
    getContext: scope.getContext,
    getMode: scope.getMode,
    getTimezone: scope.getTimezone,
    getNode: scope.getNode,
    getWorkflow: scope.getWorkflow,
    getExecutionId: scope.getExecutionId,
  };
}

function allItemsMode(code, context) {
  const scope = scriptScope(() => 0, context);
  scope.items = allItems();
  return itemsOfAll(settled(compile(code)(scope).call(thisOf(scope))));
}

function functionMode(code, context) {
  const scope = scriptScope(() => 0, context);
  scope.items = allItems();
  scope.item = scope.items[0];
  return functionItems(settled(compile(code)(scope).call(thisOf(scope))));
}

/** Runs `one` for every item; an error says which item it was. */
function forEachItem(one) {
  const items = [];
  for (let index = 0; index < state.itemCount; index += 1) {
    try {
      const item = one(index);
      if (item) items.push(item);
    } catch (error) {
      if (error instanceof Error && error.itemIndex === undefined) error.itemIndex = index;
      throw error;
    }
  }
  return items;
}

function eachItemMode(code, context) {
  let current = 0;
  const scope = scriptScope(() => current, context);
  const script = compile(code)(scope);
  const inputs = allItems();
  return forEachItem((index) => {
    current = index;
    scope.item = inputs[index];
    scope.items = inputs;
    return checkEachItem(settled(script.call(thisOf(scope))), index);
  });
}

function functionItemMode(code, context) {
  let current = 0;
  const scope = scriptScope(() => current, context);
  const script = compile(code)(scope);
  const inputs = allItems();
  return forEachItem((index) => {
    current = index;
    const input = inputs[index];
    scope.item = input.json;
    scope.getBinaryData = () => input.binary;
    scope.setBinaryData = (binary) => void (input.binary = binary);
    const json = functionItemJson(settled(script.call(thisOf(scope))));
    return { json, ...(input.binary && { binary: input.binary }), pairedItem: { item: index } };
  });
}

function sortMode(code, context) {
  const scope = scriptScope(() => 0, context);
  const compare = compile(code, 'a, b')(scope);
  const self = thisOf(scope);
  const items = allItems().map((item, index) => ({ ...item, pairedItem: item.pairedItem ?? { item: index } }));
  return items.sort((a, b) => compare.call(self, a, b));
}

const MODES = {
  all_items: allItemsMode,
  each_item: eachItemMode,
  function: functionMode,
  function_item: functionItemMode,
  sort: sortMode,
};

const ownGlobals = new Set(Object.getOwnPropertyNames(globalThis));

/** Old scripts assign variables that they never declare; the next script must not see them. */
function dropGlobals() {
  for (const name of Object.getOwnPropertyNames(globalThis)) {
    if (!ownGlobals.has(name)) delete globalThis[name];
  }
}

/** Runs a script and answers its items. */
export function runCode({ mode, code, outputMax }) {
  clearJobs();
  takeConsole();
  const context = memory();
  try {
    const items = MODES[mode](code, context);
    const changed = context.changed();
    const answer = stringify({ items, console: takeConsole(), context: changed });
    checkLength(answer.length, outputMax);
    return `{"code":${answer}}`;
  } catch (error) {
    return `{"error":${stringify(errorAnswer(error, { firstLine: LINES_BEFORE }))}}`;
  } finally {
    // The script had the items in its hands.
    forgetItems();
    dropGlobals();
  }
}
