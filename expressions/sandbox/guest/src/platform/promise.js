// Promises with a queue of our own: the WebAssembly runtime never runs the engine's queue during a call.
// `lower.js` turns `async` functions into generators that `runAsync` drives.

const jobs = [];
let timers = [];
let timerCount = 0;

/** Runs queued jobs until there are none. Timers do not wait: their order is kept, their delay is not. */
export function drain() {
  for (;;) {
    while (jobs.length > 0) {
      // Jobs that these add run in the next round, so that the queue does not keep what is done.
      const round = jobs.splice(0);
      for (const job of round) job();
    }
    if (timers.length === 0) return;
    timers.sort((a, b) => a.at - b.at || a.id - b.id);
    const timer = timers.shift();
    if (timer.every !== undefined) timers.push({ ...timer, at: timer.at + Math.max(1, timer.every) });
    timer.run();
  }
}

/** Forgets everything that an earlier script left in the queue. */
export function clearJobs() {
  jobs.length = 0;
  timers = [];
}

function isObject(value) {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

class TimeloomPromise {
  #state = 'pending';
  #value = undefined;
  #reactions = [];

  constructor(executor) {
    if (typeof executor !== 'function') throw new TypeError('Promise resolver is not a function');
    const { resolve, reject } = this.#settlers();
    try {
      executor(resolve, reject);
    } catch (error) {
      reject(error);
    }
  }

  #settlers() {
    let settled = false;
    const reject = (reason) => {
      if (settled) return;
      settled = true;
      this.#settle('rejected', reason);
    };
    const resolve = (value) => {
      if (settled) return;
      settled = true;
      this.#resolve(value);
    };
    return { resolve, reject };
  }

  #resolve(value) {
    if (value === this) return this.#settle('rejected', new TypeError('Chaining cycle detected for promise'));
    if (!isObject(value)) return this.#settle('fulfilled', value);
    let then;
    try {
      then = value.then;
    } catch (error) {
      return this.#settle('rejected', error);
    }
    if (typeof then !== 'function') return this.#settle('fulfilled', value);
    jobs.push(() => {
      const { resolve, reject } = this.#settlers();
      try {
        then.call(value, resolve, reject);
      } catch (error) {
        reject(error);
      }
    });
  }

  #settle(state, value) {
    this.#state = state;
    this.#value = value;
    for (const reaction of this.#reactions) jobs.push(reaction);
    this.#reactions = [];
  }

  then(onFulfilled, onRejected) {
    return new TimeloomPromise((resolve, reject) => {
      const react = () => {
        const handler = this.#state === 'fulfilled' ? onFulfilled : onRejected;
        if (typeof handler !== 'function') {
          return this.#state === 'fulfilled' ? resolve(this.#value) : reject(this.#value);
        }
        try {
          resolve(handler(this.#value));
        } catch (error) {
          reject(error);
        }
      };
      if (this.#state === 'pending') this.#reactions.push(react);
      else jobs.push(react);
    });
  }

  catch(onRejected) {
    return this.then(undefined, onRejected);
  }

  finally(action) {
    if (typeof action !== 'function') return this.then(action, action);
    return this.then(
      (value) => TimeloomPromise.resolve(action()).then(() => value),
      (error) => TimeloomPromise.resolve(action()).then(() => { throw error; }),
    );
  }

  get [Symbol.toStringTag]() {
    return 'Promise';
  }

  static resolve(value) {
    return value instanceof TimeloomPromise ? value : new TimeloomPromise((resolve) => resolve(value));
  }

  static reject(reason) {
    return new TimeloomPromise((_, reject) => reject(reason));
  }

  static withResolvers() {
    const parts = {};
    parts.promise = new TimeloomPromise((resolve, reject) => Object.assign(parts, { resolve, reject }));
    return parts;
  }

  static try(action, ...args) {
    return new TimeloomPromise((resolve) => resolve(action(...args)));
  }

  static all(values) {
    return combine(values, (results, index, done) => [(value) => done(index, value), undefined]);
  }

  static allSettled(values) {
    return combine(values, (results, index, done) => [
      (value) => done(index, { status: 'fulfilled', value }),
      (reason) => done(index, { status: 'rejected', reason }),
    ]);
  }

  static any(values) {
    const inverted = Array.from(values, (value) => invert(TimeloomPromise.resolve(value)));
    return invert(TimeloomPromise.all(inverted)).catch((errors) => {
      throw new AggregateError(errors, 'All promises were rejected');
    });
  }

  static race(values) {
    return new TimeloomPromise((resolve, reject) => {
      for (const value of values) TimeloomPromise.resolve(value).then(resolve, reject);
    });
  }
}
Object.defineProperty(TimeloomPromise, 'name', { value: 'Promise' });

function invert(promise) {
  return new TimeloomPromise((resolve, reject) => promise.then(reject, resolve));
}

function combine(values, handlers) {
  return new TimeloomPromise((resolve, reject) => {
    const results = [];
    let missing = 1;
    const done = (index, value) => {
      results[index] = value;
      missing -= 1;
      if (missing === 0) resolve(results);
    };
    let count = 0;
    for (const value of values) {
      missing += 1;
      const [fulfilled, rejected] = handlers(results, count, done);
      TimeloomPromise.resolve(value).then(fulfilled, rejected ?? reject);
      count += 1;
    }
    missing -= 1;
    if (missing === 0) resolve(results);
  });
}

/** Drives a generator as the body of an `async` function. */
export function runAsync(self, args, body) {
  return new TimeloomPromise((resolve, reject) => {
    const steps = body.apply(self, args);
    const advance = (method, value) => {
      let step;
      try {
        step = steps[method](value);
      } catch (error) {
        return reject(error);
      }
      if (step.done) return resolve(step.value);
      TimeloomPromise.resolve(step.value).then((next) => advance('next', next), (error) => advance('throw', error));
    };
    advance('next', undefined);
  });
}

class Awaited {
  constructor(value) {
    this.value = value;
  }
}

/** Marks an `await` inside an async generator, where `yield` means something else. */
export function awaited(value) {
  return new Awaited(value);
}

/** Drives a generator as the body of an `async function*`. */
export function runAsyncGenerator(self, args, body) {
  const steps = body.apply(self, args);
  const advance = asyncStep(steps);
  let last = TimeloomPromise.resolve();
  const enqueue = (method, value) => {
    const result = last.then(() => advance(method, value));
    last = result.catch(() => undefined);
    return result;
  };
  return {
    next: (value) => enqueue('next', value),
    return: (value) => enqueue('return', value),
    throw: (error) => enqueue('throw', error),
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

function asyncStep(steps) {
  return (method, value) =>
    new TimeloomPromise((resolve, reject) => {
      const advance = (kind, input) => {
        let step;
        try {
          step = steps[kind](input);
        } catch (error) {
          return reject(error);
        }
        if (step.done || !(step.value instanceof Awaited)) return resolve(step);
        TimeloomPromise.resolve(step.value.value).then((next) => advance('next', next), (error) => advance('throw', error));
      };
      advance(method, value);
    });
}

/** Collects what a `for await` loop iterates; `step` wraps each wait for the surrounding generator. */
export function* collectAsync(iterable, step) {
  const source = iterable[Symbol.asyncIterator] ? iterable[Symbol.asyncIterator]() : iterable[Symbol.iterator]();
  const values = [];
  for (;;) {
    const { done, value } = yield step(source.next());
    if (done) return values;
    values.push(yield step(value));
  }
}

function addTimer(run, delay, every, args) {
  timerCount += 1;
  const at = (timers.length ? timers[0].at : 0) + Math.max(0, Number(delay) || 0);
  timers.push({ id: timerCount, at, every, run: () => run(...args) });
  return timerCount;
}

function removeTimer(id) {
  timers = timers.filter((timer) => timer.id !== id);
}

Object.assign(globalThis, {
  Promise: TimeloomPromise,
  queueMicrotask: (job) => void jobs.push(job),
  setTimeout: (run, delay, ...args) => addTimer(run, delay, undefined, args),
  setInterval: (run, delay, ...args) => addTimer(run, delay, Number(delay) || 0, args),
  setImmediate: (run, ...args) => addTimer(run, 0, undefined, args),
  clearTimeout: removeTimer,
  clearInterval: removeTimer,
  clearImmediate: removeTimer,
});
for (const name of ['Promise', 'queueMicrotask', 'setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate']) {
  Object.defineProperty(globalThis, name, { enumerable: false });
}
