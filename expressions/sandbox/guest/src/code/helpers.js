// `helpers`: binary data of the items. What needs the network says so.

import { Buffer } from '../platform/bytes.js';
import { itemAt } from '../scope/state.js';

function unavailable(name) {
  return () => {
    throw new Error(`helpers.${name} is not available: scripts run in a sandbox without network; use an HTTP Request node`);
  };
}

function binaryOf(itemIndex, property) {
  const item = typeof itemIndex === 'object' ? itemIndex : itemAt(itemIndex);
  const binary = item?.binary?.[property];
  if (!binary) throw new Error(`item ${itemIndex} has no binary data in property '${property}'`);
  if (!binary.data && binary.id) throw new Error(`the binary data in property '${property}' is too large for scripts (at most 16 MiB a run): send it on, or use Extract from File or Compression`);
  return binary;
}

function sizeText(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1_000_000 ? `${Number((bytes / 1000).toFixed(1))} kB` : `${Number((bytes / 1_000_000).toFixed(1))} MB`;
}

function prepareBinaryData(source, fileName, mimeType = 'text/plain') {
  const bytes = Buffer.from(source);
  const fileExtension = /\.([^./]+)$/.exec(fileName ?? '')?.[1];
  return Promise.resolve({ data: bytes.toString('base64'), mimeType, fileName, fileExtension, fileSize: sizeText(bytes.length) });
}

export const helpers = {
  getBinaryDataBuffer: (itemIndex, property) => Promise.resolve(Buffer.from(binaryOf(itemIndex, property).data, 'base64')),
  assertBinaryData: binaryOf,
  prepareBinaryData,
  returnJsonArray: (data) => (Array.isArray(data) ? data : [data]).map((json) => ({ json })),
  normalizeItems: (items) => (Array.isArray(items) ? items : [items]).map((item) => (item && 'json' in item ? item : { json: item })),
  httpRequest: unavailable('httpRequest'),
  httpRequestWithAuthentication: unavailable('httpRequestWithAuthentication'),
  request: unavailable('request'),
};
