// The guest's only entry: one request in, one answer out, both JSON. See `src/request.rs` and `src/answer.rs`.

import './platform/clock.js';
import './platform/promise.js';
import './platform/bytes.js';
import './platform/url.js';
import './platform/console.js';
import './intl/index.js';
import { checkLength, errorAnswer, stringify, taggedAnswer, valueAnswer } from './answer.js';
import { runCode } from './code/run.js';
import { evaluateTemplate } from './expression/evaluate.js';
import { begin } from './scope/state.js';
import { warmUp } from './warm.js';

function evaluateJob(request, [template, itemIndex]) {
  try {
    const value = evaluateTemplate(request.templates[template], itemIndex);
    return request.tagged ? taggedAnswer(value) : valueAnswer(value);
  } catch (error) {
    const answer = errorAnswer(error, { itemIndex });
    if (answer.kind === 'limit') throw error;
    return `{"e":${stringify(answer)}}`;
  }
}

function evaluate(request) {
  const answers = [];
  let length = 0;
  for (const job of request.jobs) {
    const answer = evaluateJob(request, job);
    length += answer.length;
    checkLength(length, request.outputMax);
    answers.push(answer);
  }
  return `{"values":[${answers.join(',')}]}`;
}

const TASKS = { evaluate, code: runCode };

export function call(text) {
  try {
    const request = JSON.parse(text);
    begin(request);
    return TASKS[request.op](request);
  } catch (error) {
    return `{"error":${stringify(errorAnswer(error))}}`;
  }
}

warmUp();
