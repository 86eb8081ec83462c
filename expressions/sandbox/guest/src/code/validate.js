// Turns what a script returned into items, or says what is wrong with it.

const ITEM_KEYS = new Set(['json', 'binary', 'pairedItem', 'error', 'index', 'metadata', 'evaluationData', 'redaction']);

export class ValidationError extends Error {
  constructor(message, description, itemIndex) {
    super(message);
    this.name = 'ValidationError';
    this.description = description;
    this.itemIndex = itemIndex;
  }
}

const isRecord = (value) => typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);

function checkKeys(item, index) {
  for (const key of Object.keys(item)) {
    if (ITEM_KEYS.has(key)) continue;
    throw new ValidationError(`Unknown top-level item key: ${key}`, 'Access the properties of an item under `.json`, e.g. `item.json`', index);
  }
}

function checkItem(item, index) {
  if (!isRecord(item.json)) {
    throw new ValidationError("A 'json' property isn't an object", "In the returned data, every key named 'json' must point to an object.", index);
  }
  if (item.binary !== undefined && !isRecord(item.binary)) {
    throw new ValidationError("A 'binary' property isn't an object", "In the returned data, every key named 'binary' must point to an object.", index);
  }
  return keep(item);
}

/** The fields of an item; the rest does not belong to it. */
function keep({ json, binary, pairedItem, error }) {
  return { json, binary: binary ?? undefined, pairedItem: pairedItem ?? undefined, error: error ?? undefined };
}

const has = (key) => (item) => typeof item === 'object' && item !== null && key in item;

function withoutBinary({ binary, ...json }) {
  return { json, binary };
}

function normalize(result) {
  const list = Array.isArray(result) ? result : isRecord(result) && result.json ? [result] : [{ json: result }];
  if (list.every(has('json'))) return list;
  if (list.some(has('json'))) throw new ValidationError('Inconsistent item format', "Either all items or none have a 'json' property.");
  if (list.every(has('binary'))) return list.map(withoutBinary);
  if (list.some(has('binary'))) throw new ValidationError('Inconsistent item format', "Either all items or none have a 'binary' property.");
  return list.map((json) => ({ json }));
}

/** Items of a script that runs once for all items. */
export function itemsOfAll(result) {
  if (result === null) return [];
  if (typeof result !== 'object') {
    throw new ValidationError(
      "Code doesn't return items properly",
      'Please return an array of objects, one for each item you would like to output.',
    );
  }
  if (Array.isArray(result)) {
    result.forEach((item, index) => {
      if (!isRecord(item)) {
        throw new ValidationError(
          "Code doesn't return items properly",
          'Please return an array of objects, one for each item you would like to output.',
          index,
        );
      }
    });
    if (result.some((item) => Object.keys(item).some((key) => ITEM_KEYS.has(key)))) {
      // Mixed items are reported as such below, before their other keys.
      if (result.every(has('json')) || result.every(has('binary'))) result.forEach(checkKeys);
    }
  }
  return normalize(result).map(checkItem);
}

/** The item of a script that runs for each item; `undefined` when it returned null. */
export function checkEachItem(result, index) {
  if (result === null) return undefined;
  if (typeof result !== 'object') {
    throw new ValidationError(
      "Code doesn't return an object",
      `Please return an object representing the output item. ('${String(result)}' was returned instead.)`,
      index,
    );
  }
  if (Array.isArray(result)) {
    const what = result.length > 0 ? `An array of ${typeof result[0]}s was returned.` : 'An empty array was returned.';
    throw new ValidationError(
      "Code doesn't return a single object",
      `${what} If you need to output multiple items, please use the 'Run Once for All Items' mode instead.`,
      index,
    );
  }
  const [item] = normalize(result);
  if (item === result) checkKeys(item, index);
  return { ...checkItem(item, index), pairedItem: { item: index } };
}

/** Items of the old Function node. */
export function functionItems(result) {
  if (result === undefined || result === null) {
    throw new ValidationError('No data got returned. Always return an Array of items!');
  }
  if (typeof result !== 'object') throw new ValidationError('Always an Array of items has to be returned!');
  const items = normalize(result);
  items.forEach((item, index) => {
    if (item.json === undefined) {
      throw new ValidationError('All returned items have to contain a property named "json"!', undefined, index);
    }
    if (!isRecord(item.json)) throw new ValidationError('The json-property has to be an object!', undefined, index);
    if (item.binary !== undefined && !isRecord(item.binary)) {
      throw new ValidationError('The binary-property has to be an object!', undefined, index);
    }
  });
  return items.map(keep);
}

/** The JSON of the old Function Item node. */
export function functionItemJson(result) {
  if (result === undefined || result === null) {
    throw new ValidationError('No data got returned. Always an object has to be returned!');
  }
  if (!isRecord(result)) throw new ValidationError('Always an object has to be returned!');
  return result;
}
