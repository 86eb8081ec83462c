// Reads arithmetic by its grammar: nothing that a model writes is run as a program.
const text = String($input.first().json.input ?? '').replace(/\*\*/g, '^').replace(/\s+/g, '');
const functions = ['abs', 'ceil', 'cos', 'exp', 'floor', 'log', 'log10', 'log2', 'max', 'min', 'round', 'sin', 'sqrt', 'tan'];
const tokens = text.match(/\d+\.?\d*(?:e[+-]?\d+)?|\.\d+|[a-z][a-z0-9]*|[-+*\/%^(),]/gi) ?? [];
if (tokens.length === 0 || text.length > 1000 || tokens.join('') !== text) {
  throw new Error(`'${text.slice(0, 100)}' is no arithmetic: use numbers, + - * / % ^, parentheses, ${functions.join(', ')}`);
}
let place = 0;
const take = (token) => tokens[place] === token && ++place > 0;
const need = (token) => { if (!take(token)) throw new Error(`'${token}' is missing at '${tokens.slice(place).join('')}'`); };
const sum = () => {
  let value = product();
  for (;;) {
    if (take('+')) value += product();
    else if (take('-')) value -= product();
    else return value;
  }
};
const product = () => {
  let value = sign();
  for (;;) {
    if (take('*')) value *= sign();
    else if (take('/')) value /= sign();
    else if (take('%')) value %= sign();
    else return value;
  }
};
const sign = () => take('-') ? -sign() : take('+') ? sign() : power();
const power = () => { const base = atom(); return take('^') ? base ** sign() : base; };
const atom = () => {
  if (take('(')) { const value = sum(); need(')'); return value; }
  const token = (tokens[place++] ?? '').toLowerCase();
  if (/^[\d.]/.test(token)) return Number(token);
  if (token === 'pi') return Math.PI;
  if (token === 'e') return Math.E;
  if (!functions.includes(token)) throw new Error(`'${token}' is not known here`);
  need('(');
  const values = [sum()];
  while (take(',')) values.push(sum());
  need(')');
  return Math[token](...values);
};
const result = sum();
if (place < tokens.length) throw new Error(`'${tokens.slice(place).join('')}' is left over`);
return [{ json: { result: Number.isFinite(result) ? result : String(result) } }];
