// Errors that stop an expression; every other error makes it `undefined`, as in n8n.

export class ExpressionError extends Error {
  constructor(message, options = {}) {
    super(message);
    this.name = 'ExpressionError';
    this.description = options.description;
    this.type = options.type;
  }
}

export class ExpressionExtensionError extends ExpressionError {
  constructor(message, options) {
    super(message, options);
    this.name = 'ExpressionExtensionError';
  }
}

/** The text is not JavaScript. */
export class InvalidSyntax extends Error {}

/** The sandbox ran out of something. */
export class LimitError extends Error {}

/** The limit behind an engine error, if there is one. */
export function limitOf(error) {
  if (error instanceof LimitError) return error.message;
  const message = error instanceof Error ? error.message : '';
  if (error instanceof RangeError && /call stack/i.test(message)) return 'stopped: the calls of the script are nested too deeply';
  if (error?.name === 'InternalError') {
    return /stack/.test(message) ? 'stopped: the calls of the script are nested too deeply' : `stopped: ${message}`;
  }
  return undefined;
}
