// Memory that outlives a run: `getWorkflowStaticData('global' | 'node')` and `getContext('flow' | 'node')`.
// The host keeps it as one object per node and gets it back only where a script changed it.

import { ExpressionError } from '../errors.js';
import { ask, state } from '../scope/state.js';

const STATIC_KINDS = { global: 'staticGlobal', node: 'staticNode' };
const CONTEXT_KINDS = { flow: 'contextFlow', node: 'contextNode' };

function load() {
  try {
    const stored = ask({ op: 'context', node: state.scope.node.name });
    return typeof stored === 'object' && stored !== null ? stored : {};
  } catch (error) {
    if (error instanceof ExpressionError) return {};
    throw error;
  }
}

/** The memory of the node that runs. */
export function memory() {
  let data;
  let before;
  const part = (kinds, what) => (kind = 'node') => {
    const name = kinds[kind];
    if (!name) throw new ExpressionError(`the type of ${what} must be one of: ${Object.keys(kinds).join(', ')}`);
    if (!data) {
      data = load();
      before = JSON.stringify(data);
    }
    data[name] ??= {};
    return data[name];
  };
  return {
    staticData: part(STATIC_KINDS, 'static data'),
    nodeContext: part(CONTEXT_KINDS, 'context'),
    changed() {
      if (!data) return undefined;
      for (const name of [...Object.values(STATIC_KINDS), ...Object.values(CONTEXT_KINDS)]) {
        if (data[name] && Object.keys(data[name]).length === 0 && !before.includes(`"${name}"`)) delete data[name];
      }
      return JSON.stringify(data) === before ? undefined : data;
    },
  };
}
