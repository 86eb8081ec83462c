// Access to other nodes: `$('Node')`, `$node`, `$items`. The host is asked when a property is read.

import { ExpressionError } from '../errors.js';
import { ask, state } from './state.js';

const RUNS_MAX = 100_000;

function itemsOf(node, output, run) {
  return ask({ op: 'items', node, output, run });
}

function pairedItem(node, itemIndex) {
  return ask({ op: 'paired_item', node, item_index: itemIndex });
}

function checkNumber(value, what) {
  if (value !== undefined && !Number.isInteger(value)) throw new ExpressionError(`${what} must be a whole number`);
  return value;
}

/** `$('Node')`. */
export function nodeReference(node, itemIndex) {
  if (typeof node !== 'string') throw new ExpressionError("expected the name of a node: $('Node name')");
  // An unknown node stops the expression here, even where nothing of it is read.
  const isExecuted = ask({ op: 'is_executed', node });
  const all = (branch, run) => itemsOf(node, checkNumber(branch, 'the branch index'), checkNumber(run, 'the run index'));
  return {
    get item() {
      return pairedItem(node, itemIndex());
    },
    pairedItem: (index) => pairedItem(node, index ?? itemIndex()),
    itemMatching: (index) => {
      if (index === undefined) throw new ExpressionError('Missing item index for .itemMatching(): use e.g. .itemMatching(0)');
      return pairedItem(node, index);
    },
    first: (branch, run) => all(branch, run)[0],
    last: (branch, run) => all(branch, run).at(-1),
    all,
    get params() {
      return ask({ op: 'parameters', node });
    },
    get context() {
      return ask({ op: 'context', node });
    },
    isExecuted,
  };
}

function lastRun(node) {
  for (let run = 0; run < RUNS_MAX; run += 1) {
    try {
      itemsOf(node, undefined, run);
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      return run - 1;
    }
  }
  return RUNS_MAX;
}

/** One value of `$node`. */
function legacyNode(node, itemIndex) {
  const item = () => {
    const items = itemsOf(node);
    const index = itemIndex();
    if (index >= items.length) throw new ExpressionError(`No data found for item-index: "${index}"`);
    return items[index];
  };
  return {
    get json() {
      return item().json;
    },
    get data() {
      return item().json;
    },
    get binary() {
      return item().binary ?? {};
    },
    get context() {
      return ask({ op: 'context', node });
    },
    get parameter() {
      return ask({ op: 'parameters', node });
    },
    get runIndex() {
      return lastRun(node);
    },
  };
}

/** `$node`. */
export function legacyNodes(itemIndex) {
  return new Proxy({}, {
    get: (_, name) => (typeof name === 'string' ? legacyNode(name, itemIndex) : undefined),
    has: (_, name) => typeof name === 'string',
    ownKeys: () => [],
  });
}

/** `$items()`. */
export function nodeItems(own) {
  return (node, output, run) => {
    if (node === undefined) return own();
    return itemsOf(node, output ?? 0, run);
  };
}

/** `$prevNode`. */
export function previousNode() {
  const { previous } = state.scope;
  return { name: previous?.name, outputIndex: previous?.outputIndex, runIndex: previous?.runIndex };
}
