// The `$` variables of expressions and Code nodes.

import jmespath from 'jmespath';
import { ExpressionError } from '../errors.js';
import { DateTime } from '../zones.js';
import { legacyNodes, nodeItems, nodeReference, previousNode } from './nodes.js';
import { allItems, ask, itemAt, state } from './state.js';

function queryJson(data, query) {
  if (typeof data !== 'object' || typeof query !== 'string') {
    throw new ExpressionError('expected two arguments (Object, string) for this function');
  }
  return jmespath.search(Array.isArray(data) || data === null ? data : { ...data }, query);
}

function fromAi(name, _description, _type, defaultValue) {
  if (!/^[a-zA-Z0-9_-]{1,64}$/.test(String(name ?? ''))) {
    throw new ExpressionError("Invalid parameter key: must be 1 to 64 characters of a-z, A-Z, 0-9, '_' and '-'");
  }
  if (defaultValue !== undefined) return defaultValue;
  throw new ExpressionError(`$fromAI("${name}") has no value: no AI agent called this node, and no default is given`);
}

const withoutArguments = (name, action) => (...args) => {
  if (args.length > 0) throw new ExpressionError(`$input.${name}() should have no arguments`);
  return action();
};

function executionVariable() {
  const { execution } = state.scope;
  return {
    id: execution.id,
    mode: execution.mode,
    resumeUrl: execution.resumeUrl,
    resumeFormUrl: execution.resumeUrl.replace('/webhook-waiting/', '/form-waiting/'),
    customData: { get: () => undefined, getAll: () => ({}), set: () => {}, setAll: () => {} },
  };
}

function environment() {
  return new Proxy(state.scope.env, {
    get(env, name) {
      if (typeof name !== 'string' || name in env) return env[name];
      throw new ExpressionError(`access to the environment variable '${name}' is not allowed`, {
        description: 'An administrator can allow it in the configuration of the server.',
      });
    },
  });
}

/** `$parameter`: the parameters of the node, with its expressions evaluated when they are read. */
function evaluatedParameters(parameters, evaluate) {
  if (typeof parameters === 'string' && parameters.startsWith('=')) return evaluate(parameters.slice(1));
  if (typeof parameters !== 'object' || parameters === null) return parameters;
  const copy = Array.isArray(parameters) ? [] : {};
  for (const key of Object.keys(parameters)) {
    Object.defineProperty(copy, key, {
      enumerable: true,
      configurable: true,
      get: () => evaluatedParameters(parameters[key], evaluate),
    });
  }
  return copy;
}

/**
 * Defines the variables on `target`. `itemIndex` answers which item they are about, `evaluate(template, itemIndex)`
 * evaluates a template. Scripts may assign the same names for themselves; expressions may not.
 */
export function defineVariables(target, itemIndex, evaluate, assignable = false) {
  const item = () => itemAt(itemIndex());
  const json = () => item()?.json;
  const nodeParameters = () => state.scope.node.parameters ?? {};
  const input = {
    get item() {
      return item();
    },
    first: withoutArguments('first', () => itemAt(0)),
    last: withoutArguments('last', () => itemAt(state.itemCount - 1)),
    all: withoutArguments('all', allItems),
    get params() {
      const { previous } = state.scope;
      return previous ? ask({ op: 'parameters', node: previous.name }) : {};
    },
    get context() {
      const { previous } = state.scope;
      return previous ? ask({ op: 'context', node: previous.name }) : {};
    },
    byIndex: (index) => ask({ op: 'input', index }),
  };
  const additional = (name) => () => state.scope.additional?.[name];
  const evaluated = () => evaluatedParameters(nodeParameters(), (template) => evaluate(template, itemIndex()));
  const getters = {
    $json: json,
    $data: json,
    $binary: () => item()?.binary ?? {},
    $input: () => input,
    $node: () => legacyNodes(itemIndex),
    $itemIndex: itemIndex,
    $position: itemIndex,
    $thisItem: item,
    $thisItemIndex: itemIndex,
    $runIndex: () => state.scope.runIndex,
    $thisRunIndex: () => state.scope.runIndex,
    $prevNode: previousNode,
    $parameter: evaluated,
    $rawParameter: nodeParameters,
    $self: () => ({}),
    $workflow: () => ({ ...state.scope.workflow }),
    $execution: executionVariable,
    $env: environment,
    $vars: () => state.scope.vars,
    $secrets: () => ({}),
    $now: () => DateTime.now(),
    $today: () => DateTime.now().startOf('day'),
    $mode: () => (state.scope.execution.mode === 'test' ? 'manual' : 'trigger'),
    $nodeVersion: () => state.scope.node.typeVersion,
    $nodeId: () => state.scope.node.id,
    $webhookId: () => state.scope.node.webhookId ?? undefined,
    $request: additional('$request'),
    $response: additional('$response'),
    $pageCount: additional('$pageCount'),
  };
  const own = () => allItems();
  const values = {
    $: (node) => nodeReference(node, itemIndex),
    $items: nodeItems(own),
    $item: (index) => defineVariables({}, () => Number(index), evaluate),
    $jmespath: queryJson,
    $jmesPath: queryJson,
    $fromAI: fromAi,
    $fromAi: fromAi,
    $fromai: fromAi,
    $evaluateExpression: (expression, index) => evaluate(String(expression).replace(/^=/, ''), index ?? itemIndex()),
    $getPairedItem: (node, _source, paired) =>
      ask({ op: 'paired_item', node, item_index: typeof paired === 'number' ? paired : paired?.item ?? itemIndex() }),
  };
  for (const [name, get] of Object.entries(getters)) {
    const set = assignable
      ? (value) => Object.defineProperty(target, name, { value, writable: true, configurable: true })
      : undefined;
    Object.defineProperty(target, name, { get, set, configurable: true });
  }
  for (const [name, value] of Object.entries(values)) {
    Object.defineProperty(target, name, { value, writable: true, configurable: true });
  }
  return target;
}
