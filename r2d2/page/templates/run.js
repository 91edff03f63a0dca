'use strict';
// Texts of the lake get into the page as text nodes only; the policy in the head refuses all else.
// Figures, as r2d2's text has them.
function fixed(value, digits) {
  const told = value.toFixed(digits), halves = value * 2 ** (digits + 1);
  // Half a digit goes to the even one, as in Python.
  const odd = Number(told.at(-1)) % 2 === 1;
  if (Number.isInteger(halves) && halves % 2 !== 0 && odd) {
    return (Math.floor(value * 10 ** digits) / 10 ** digits).toFixed(digits);
  }
  return told;
}
function humanBytes(size) {
  if (size < 999.5) return `${fixed(size, 0)} B`;
  for (const unit of ['kB', 'MB', 'GB', 'TB']) {
    size /= 1000;
    if (size < 999.95) return `${fixed(size, 1)} ${unit}`;
  }
  return `${fixed(size / 1000, 1)} PB`;
}

(async () => {
const byId = id => document.getElementById(id);
const packed = Uint8Array.from(atob(byId('data').textContent), c => c.charCodeAt(0));
const inflated = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate'));
const D = JSON.parse(await new Response(inflated).text());
const T = D.tables, P = D.plan, text = n => D.texts[n];
const STEP = 25, MOST_LINKS = 30, MOST_DRAWN = 60, MOST_ON_PAPER = 500;
const CONTAINED = 1, SPARE = 2, LEFT_OUT = 4, UNREADABLE = 8, DEGENERATE = 16, AS_ASKED = 32;

// Names: each has so many characters of the one before, and the rest.
const names = [];
for (const [n, shared] of D.names[0].entries()) {
  names.push([...(names[n - 1] ?? '')].slice(0, shared).join('') + D.names[1][n]);
}
const numbers = new Map(names.map((name, n) => [name, n]).reverse());
const everyTable = names.map((_, n) => n);

const whole = number => number.toString().replace(/\B(?=(\d{3})+(?!\d))/g, ',');
const plural = (number, noun, many = `${noun}s`) => `${whole(number)} ${number === 1 ? noun : many}`;
const dollars = told => Number(told.replace(/[^\d.-]/g, ''));
const general = number => String(Number(number.toPrecision(6)));
const collator = new Intl.Collator('en', { numeric: true });

// Elements.
function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children.flat(Infinity).filter(child => child !== null && child !== ''));
  return element;
}
const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) =>
  fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
// A long name breaks after its slashes and underscores first.
const bdi = name => el('bdi', {}, name.split(/(?<=[/_])/).map((part, at) => [at ? el('wbr', {}) : '', part]));
const tableLink = n => el('a', { href: fragment(n) }, bdi(names[n]));
const markedLink = n => [tableLink(n), deletion.has(n) ? el('span', { class: 'delete' }, ' delete') : ''];
const fragment = n => `#table=${encodeURIComponent(names[n])}`;
function links(tables, link = tableLink) {
  const shown = tables.slice(0, MOST_LINKS).map((n, at) => [at ? ', ' : '', link(n)]);
  return [shown, tables.length > MOST_LINKS ? ` and ${whole(tables.length - MOST_LINKS)} more` : ''];
}

// The graph: nodes are groups of equal tables, by their first one.
const node = everyTable.slice(), groupOf = new Map();
for (const group of D.groups) for (const n of group) { node[n] = group[0]; groupOf.set(n, group); }
function edgesOf(columns) {
  let child = 0;
  return columns.child.map((step, at) => {
    child += step;
    return { child, parent: columns.parent[at], part: columns.kind[at], why: text(columns.why[at]) };
  });
}
const edges = edgesOf(D.edges), equalities = edgesOf(D.equal);
const up = new Map(), down = new Map();
for (const edge of edges) {
  for (const [ends, at] of [[up, edge.child], [down, edge.parent]]) {
    if (!ends.has(node[at])) ends.set(node[at], []);
    ends.get(node[at]).push(edge);
  }
}
const equals = new Map(equalities.map(edge => [edge.child, edge]));
const families = new Map();
for (const n of everyTable) {
  if (!T.family[n]) continue;
  if (!families.has(T.family[n])) families.set(T.family[n], []);
  families.get(T.family[n]).push(n);
}
const deletion = new Map();
if (P) P.deleted.forEach((n, at) => deletion.set(n, P.of[at]));
const [VIEW, SAVES, LEAST, MOST, YEAR, REBUILD, SECONDS, PARENTS, KIND, RECIPE, SURVIVES, NOT_RESTORED, ROWS, TOOK, ASIDE, COPY, BECAUSE] = Array(17).keys();
const rebuiltFrom = new Map();
for (const [n, how] of deletion) {
  for (const parent of how[PARENTS]) {
    if (!rebuiltFrom.has(parent)) rebuiltFrom.set(parent, []);
    rebuiltFrom.get(parent).push(n);
  }
}
const spareBytes = n => T.flags[n] & SPARE ? T.bytes[n] : 0;
const saves = n => deletion.has(n) ? dollars(deletion.get(n)[SAVES]) : 0;
const inFolder = (n, folder) => folder === '.' ? !names[n].includes('/') : names[n].startsWith(`${folder}/`);
const sum = (tables, of) => tables.reduce((total, n) => total + of(n), 0);

// A list with heads that sort and rows that come in steps.
function list(table, more, columns, start, rows) {
  const state = { by: start, falling: true, shown: STEP, rows };
  const head = el('tr', {}), heads = columns.map(column => {
    const button = column.sort ? el('button', { type: 'button' }, column.head) : column.head;
    const cell = el('th', { scope: 'col', class: column.class ?? '' }, button);
    if (column.sort) button.addEventListener('click', () => {
      state.falling = state.by === column ? !state.falling : column.falls !== false;
      state.by = column;
      draw();
    });
    head.append(cell);
    return cell;
  });
  table.tHead.replaceChildren(head);
  more.addEventListener('click', () => { state.shown += more.dataset.all ? Infinity : STEP * 4; draw(); });
  function draw() {
    const { sort } = state.by, sign = state.falling ? -1 : 1;
    state.rows.sort((a, b) => {
      const one = sort(a), other = sort(b);
      return sign * (typeof one === 'string' ? collator.compare(one, other) : one - other) || columns[0].tie(a, b);
    });
    heads.forEach((cell, at) => {
      const own = columns[at] === state.by;
      if (own) cell.setAttribute('aria-sort', state.falling ? 'descending' : 'ascending');
      else cell.removeAttribute('aria-sort');
    });
    table.tBodies[0].replaceChildren(...state.rows.slice(0, state.shown).map(row =>
      el('tr', {}, columns.map((column, at) =>
        el(at ? 'td' : 'th', { class: column.class ?? '', ...(at ? {} : { scope: 'row' }) }, column.cell(row))))));
    if (!state.rows.length) table.tBodies[0].append(el('tr', {}, el('td', { class: 'soft', colspan: columns.length }, 'None.')));
    more.hidden = state.rows.length <= state.shown;
    more.textContent = `Show more of ${whole(state.rows.length)}`;
  }
  return { state, draw, show: next => { state.rows = next; state.shown = STEP; draw(); } };
}

// All tables.
const orBlank = number => number < 0 ? '–' : whole(number);
const tie = (a, b) => spareBytes(b) - spareBytes(a) || a - b;
const outcome = n => T.flags[n] & UNREADABLE ? 'not read' : T.flags[n] & AS_ASKED ? 'left out' : 'refused';
const decision = n => T.flags[n] & LEFT_OUT ? outcome(n)
  : deletion.has(n) ? (deletion.get(n)[VIEW] ? 'delete, view' : 'delete') : P ? 'keep' : '';
const why = n => P ? text(P.reason[n]) : text(T.problem[n]) || text(T.must_keep[n]);
function inside(n) {
  const nearest = (up.get(node[n]) ?? []).map(edge => edge.parent).concat(groupOf.get(n) ?? []).find(other => other !== n);
  if (nearest === undefined) return '–';
  return [tableLink(nearest), T.parents[n] > 1 ? ` and ${whole(T.parents[n] - 1)} more` : ''];
}
const COLUMN = {
  table: { head: 'table', class: 'name', sort: n => names[n], falls: false, cell: tableLink, tie },
  bytes: { head: 'size', class: 'n', sort: n => T.bytes[n], cell: n => humanBytes(T.bytes[n]) },
  spare: { head: 'held more than once', class: 'n', sort: spareBytes, cell: n => T.flags[n] & SPARE ? humanBytes(T.bytes[n]) : '–' },
  rows: { head: 'rows', class: 'n wide', sort: n => T.rows[n], cell: n => orBlank(T.rows[n]) },
  parents: { head: 'in others', class: 'n wide', sort: n => T.parents[n], cell: n => whole(T.parents[n]) },
  inside: { head: 'contained in', class: 'name', sort: n => T.parents[n], cell: inside },
  children: { head: 'contains', class: 'n wide', sort: n => T.children[n], cell: n => whole(T.children[n]) },
  saves: { head: 'saves a month', class: 'n', sort: saves, cell: n => deletion.has(n) ? deletion.get(n)[SAVES] : '–' },
  decision: { head: 'decision', sort: decision, falls: false, cell: n => el('span', { class: deletion.has(n) ? 'delete' : '' }, decision(n)) },
  why: { head: 'why', class: 'why', sort: why, falls: false, cell: n => el('span', { class: 'clamp' }, why(n)) },
  reads: { head: 'reads a month', class: 'n wide', sort: n => P.reads[n], cell: n => general(P.reads[n]) + (P.usage[n] & 1 ? ' (assumed)' : '') },
};
const columns = P
  ? [COLUMN.table, COLUMN.decision, COLUMN.saves, COLUMN.bytes, COLUMN.why, COLUMN.reads, COLUMN.parents]
  : [COLUMN.table, COLUMN.spare, COLUMN.bytes, COLUMN.rows, COLUMN.inside, COLUMN.children, COLUMN.why];
const all = list(byId('list'), byId('more'), columns, deletion.size ? COLUMN.saves : COLUMN.spare, everyTable.slice());
// On paper nobody can ask for more.
let shownOnScreen = STEP;
addEventListener('beforeprint', () => {
  shownOnScreen = all.state.shown;
  all.state.shown = Math.max(shownOnScreen, MOST_ON_PAPER);
  const { rows, shown } = all.state;
  byId('on-paper').textContent = rows.length > shown ? `The first ${whole(shown)} of ${whole(rows.length)}.` : '';
  all.draw();
});
addEventListener('afterprint', () => { all.state.shown = shownOnScreen; all.draw(); });
const WHICH = {
  all: () => true,
  contained: n => T.flags[n] & CONTAINED,
  spare: n => T.flags[n] & SPARE,
  'must-stay': n => T.flags[n] & SPARE && text(T.must_keep[n]),
  equal: n => groupOf.has(n),
  delete: n => deletion.has(n),
  kept: n => !deletion.has(n),
  'left-out': n => T.flags[n] & LEFT_OUT,
};
const KEYS = {
  folder: inFolder,
  owner: (n, value) => text(T.owner[n]) === value,
  team: (n, value) => P && text(P.tenant[n]) === value,
  reader: (n, value) => P && text(P.consumer_names[n]).split('; ').includes(value),
  // All that a table contains; its drawn edges lead to them.
  inside: (n, value) => names[n] !== value && (value === inner.of ? inner : (inner = contents(value))).nodes.has(node[n]),
  reason: (n, value) => P && !deletion.has(n) && text(P.kind[n]) === value,
};
let chosen = null;
let inner = { of: null, nodes: new Set() };
const contents = name => ({ of: name, nodes: reached(numbers.get(name), down, 'child') });
function filter() {
  const query = byId('query').value.trim().toLowerCase(), which = WHICH[byId('which').value];
  const found = everyTable.filter(n => which(n)
    && (!chosen || KEYS[chosen[0]](n, chosen[1]))
    && (!query || names[n].toLowerCase().includes(query)));
  const spare = sum(found, spareBytes), out = found.filter(n => T.flags[n] & LEFT_OUT).length;
  byId('count').textContent = `${plural(found.length, 'table')}, ${humanBytes(sum(found, n => T.bytes[n]))}`
    + (spare ? `, of which ${humanBytes(spare)} are held more than once` : '')
    + (out ? `; ${whole(out)} of them left out` : '');
  byId('clear').hidden = !chosen;
  if (chosen) byId('clear').textContent = `${chosen[0]}: ${chosen[0] === 'folder' && chosen[1] === '.' ? "(the lake's top folder)" : chosen[1]} ×`;
  all.show(found);
}
byId('query').addEventListener('input', filter);
byId('which').addEventListener('input', filter);
byId('clear').addEventListener('click', () => { chosen = null; filter(); byId('query').focus(); });
byId('search').addEventListener('submit', event => event.preventDefault());

// Families and groups.
// A family goes by the table that contains most others.
const rank = n => [T.children[n], T.bytes[n]];
const largest = tables => tables.reduce((best, n) => {
  const [one, other] = [rank(n), rank(best)];
  return one[0] > other[0] || (one[0] === other[0] && one[1] > other[1]) ? n : best;
});
const inOrder = (a, b) => a[0] - b[0];
const ofMany = [
  { head: 'tables', class: 'n', sort: tables => tables.length, cell: tables => whole(tables.length) },
  { head: 'held more than once', class: 'n', sort: tables => sum(tables, spareBytes), cell: tables => humanBytes(sum(tables, spareBytes)) },
  ...(P ? [{ head: 'to be deleted', class: 'n', sort: tables => tables.filter(n => deletion.has(n)).length, cell: tables => whole(tables.filter(n => deletion.has(n)).length) }] : []),
];
list(byId('family-list'), byId('more-families'), [
  { head: 'family of', class: 'name', sort: tables => names[largest(tables)], falls: false, cell: tables => tableLink(largest(tables)), tie: inOrder },
  ...ofMany,
], ofMany[1], [...families.values()]).draw();
const beyond = group => sum(group, n => T.bytes[n]) - Math.max(...group.map(n => T.bytes[n]));
const beyondOne = { head: 'beyond one copy', class: 'n', sort: beyond, cell: group => humanBytes(beyond(group)) };
list(byId('group-list'), byId('more-groups'), [
  { head: 'equal to each other', class: 'name', sort: tables => names[tables[0]], falls: false, cell: group => links(group, markedLink), tie: inOrder },
  ofMany[0], beyondOne, ...ofMany.slice(2),
], beyondOne, D.groups.slice()).draw();

// One table.
function shellWord(word) {
  if (word.includes('\\')) return `$'${word.replaceAll("'", "\\'")}'`;
  return /^[\w./=+:@%-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
function usage(n) {
  const reads = `${general(P.reads[n])} ${P.reads[n] === 1 ? 'time' : 'times'} a month`;
  const told = P.usage[n] & 1 ? `how often is not known: ${reads} is assumed` : reads;
  const last = text(P.last_read[n]), who = text(P.consumer_names[n]);
  return [told, last && `, last on ${last}`, P.consumers[n] === null ? '' : `, by ${who || plural(P.consumers[n], 'reader')}`];
}
function* decisionFacts(n) {
  const how = deletion.get(n), run = D.run ? shellWord(D.run) : 'RUN', name = shellWord(names[n]);
  yield ['Decision', [el('b', { class: how ? 'delete' : '' }, how ? 'Delete: ' : 'Keep: '), text(P.reason[n])]];
  yield ['Who reads it', [usage(n), P.usage[n] & 2 ? '; nobody for long' : '']];
  if (!how) {
    yield ['Keeping it costs', `${P.keep[n]} a month`];
    if (rebuiltFrom.has(n)) yield ['Rebuilt from it', links(rebuiltFrom.get(n))];
    return;
  }
  const range = how[LEAST] === how[MOST] ? '' : `; between ${how[LEAST]} and ${how[MOST]} a month, as its reads are not known`;
  yield ['Saves', `${how[SAVES]} a month, ${how[YEAR]} a year${range}`];
  yield ['Costs', `keeping it ${P.keep[n]} a month, ${how[VIEW] ? 'reading it through a view' : 'rebuilding it'} ${how[REBUILD]} a month; frees ${humanBytes(P.frees[n])}`];
  yield ['If you need it', how[VIEW]
    ? `its view reads the parents; a read takes up to ${how[SECONDS]} more, 95 times of 100`
    : [`it is back in up to ${how[SECONDS]}, 95 times of 100; its readers may wait ${text(P.limit[n])}. `, el('code', {}, `r2d2 recipe run ${name} --run ${run} --to restored`)]];
  yield ['If it must stay', ['protect it, and see what that costs: ', el('code', {}, `r2d2 plan --run ${run} --protect ${name}`)]];
  yield ['Comes back as', `${text(how[KIND])}: ${text(how[RECIPE])}`];
  yield ['From', links(how[PARENTS])];
  yield ['Tried', how[ROWS] < 0 ? 'not yet: what-if reads no data' : `${plural(how[ROWS], 'row')}, equal value by value, in ${how[TOOK]}`];
  if (how[SURVIVES]) yield ['When a parent changes', [`the recipe is, for ${text(how[SURVIVES])}; before anything is deleted, `, el('code', {}, `r2d2 check ${run}/plan.json`), ' tells']];
  if (how[ASIDE]) yield ['Kept aside for it', humanBytes(how[ASIDE])];
  if (how[NOT_RESTORED]) yield ['Does not come back', text(how[NOT_RESTORED])];
  if (how[COPY] >= 0) yield ['Equal copy that stays', [tableLink(how[COPY]), `: ${text(how[BECAUSE])}`]];
}
function* facts(n) {
  if (T.problem[n]) yield [{ 'not read': 'Could not be read', 'left out': 'Left out', refused: 'Refused' }[outcome(n)], text(T.problem[n])];
  if (P) yield* decisionFacts(n);
  if (T.must_keep[n] && !(P && text(P.reason[n]) === text(T.must_keep[n]))) yield ['Must stay', text(T.must_keep[n])];
  if (T.readers[n]) yield ['May be read by', `${text(T.readers[n])}; its owner is ${text(T.owner[n])}`];
  const group = groupOf.get(n);
  if (group) yield ['Equal to', links(group.filter(other => other !== n))];
  for (const [head, ends, end, count] of [['Contained in', up, 'parent', T.parents[n]], ['Contains', down, 'child', T.children[n]]]) {
    const [direct, partly] = [0, 1].map(part => [...new Set((ends.get(node[n]) ?? []).filter(edge => edge.part === part).map(edge => edge[end]))]);
    const list = end === 'child' && count > direct.length ? ['; ', el('a', { href: `#inside=${encodeURIComponent(names[n])}` }, 'list all')] : '';
    if (direct.length) yield [head, [links(direct), ...(count > direct.length ? [`; ${plural(count, 'table')} in all, counting equal ones`] : []), list]];
    if (partly.length) yield [`${head}, in part`, links(partly)];
  }
  if (T.flags[n] & DEGENERATE) yield ['Degenerate', 'it has no rows or no columns'];
  yield ['Is', `${text(T.format[n])}, ${humanBytes(T.bytes[n])}, ${T.rows[n] < 0 ? 'rows not counted' : plural(T.rows[n], 'row')}, ${plural(T.columns[n], 'column')}, ${plural(T.files[n], 'file')}`];
  if (T.details[n]) yield ['Details', text(T.details[n])];
}
function showTable(n) {
  byId('table-head').replaceChildren(bdi(names[n]));
  byId('about').replaceChildren(
    el('dl', { class: 'facts' }, [...facts(n)].map(([head, told]) => [el('dt', {}, head), el('dd', {}, told)])),
    ...(T.family[n] ? family(n) : [el('p', { class: 'soft' }, 'No other table is related to it.')]),
    el('p', {}, el('a', { href: '#tables' }, 'Back to the list of tables')));
  byId('table').hidden = false;
}

// A family as a graph, parents on the left.
function within(n) {
  return [...new Set(families.get(T.family[n]).map(table => node[table]))];
}
function reached(n, ends, end) {
  const found = new Set([node[n]]);
  for (const at of found) for (const edge of ends.get(at) ?? []) if (!edge.part) found.add(node[edge[end]]);
  return found;
}
function around(n) {
  const direct = [...(up.get(node[n]) ?? []), ...(down.get(node[n]) ?? [])].flatMap(edge => [node[edge.child], node[edge.parent]]);
  return [...new Set([...reached(n, up, 'parent'), ...reached(n, down, 'child'), ...direct])];
}
function layersOf(nodes, drawn) {
  const layer = new Map(nodes.map(n => [n, 0]));
  // As long as something moves, but no longer than a circle would let it.
  for (let moved = true, turn = 0; moved && turn < nodes.length; turn += 1) {
    moved = false;
    for (const edge of drawn) {
      const least = layer.get(node[edge.parent]) + 1;
      if (least > layer.get(node[edge.child]) && least < nodes.length) { layer.set(node[edge.child], least); moved = true; }
    }
  }
  const layers = [];
  for (const n of nodes) (layers[layer.get(n)] ??= []).push(n);
  return layers.filter(Boolean);
}
function placed(layers, drawn, gap) {
  const y = new Map(), near = new Map();
  for (const edge of drawn) {
    for (const [at, other] of [[node[edge.child], node[edge.parent]], [node[edge.parent], node[edge.child]]]) {
      if (!near.has(at)) near.set(at, []);
      near.get(at).push(other);
    }
  }
  for (const layer of layers) layer.sort((a, b) => a - b).forEach((n, at) => y.set(n, at * gap));
  for (let turn = 0; turn < 12; turn += 1) {
    for (const layer of turn % 2 ? layers.slice().reverse() : layers) {
      const wanted = new Map(layer.map(n => [n, (near.get(n) ?? []).length ? sum(near.get(n), m => y.get(m)) / near.get(n).length : y.get(n)]));
      layer.sort((a, b) => wanted.get(a) - wanted.get(b) || a - b);
      let last = -Infinity;
      for (const n of layer) { last = Math.max(last + gap, wanted.get(n)); y.set(n, last); }
      const off = sum(layer, n => wanted.get(n) - y.get(n)) / layer.length;
      for (const n of layer) y.set(n, y.get(n) + off);
    }
  }
  const top = Math.min(...y.values());
  for (const [n, at] of y) y.set(n, Math.round(at - top));
  return y;
}
function short(name, most) {
  const letters = [...name];
  if (letters.length <= most) return name;
  const head = Math.ceil((most - 1) / 3);
  return `${letters.slice(0, head).join('')}…${letters.slice(head + 1 - most).join('')}`;
}
function family(chosenTable) {
  const members = within(chosenTable), near = around(chosenTable);
  const place = el('div', {}), button = el('button', { type: 'button' }, `Draw all ${whole(members.length)} of the family`);
  button.addEventListener('click', () => { place.replaceChildren(...drawing(chosenTable, members, members.length)); button.remove(); });
  place.append(...drawing(chosenTable, near, members.length));
  return [el('h3', {}, 'Its family'), place, near.length < members.length ? el('p', {}, button) : ''];
}
// The table whose name is in the box that a table is drawn in.
function shownFor(n, chosenTable) { return node[n] === node[chosenTable] ? chosenTable : node[n]; }
function drawing(chosenTable, wanted, members) {
  const nodes = wanted.slice(0, MOST_DRAWN), there = new Set(nodes);
  // Of what is not all rows or columns, only the table's own lines, one for each other table.
  const met = new Set(), own = edge => [node[edge.child], node[edge.parent]].filter(at => at !== node[chosenTable]);
  const drawn = edges.filter(edge => {
    if (!there.has(node[edge.child]) || !there.has(node[edge.parent])) return false;
    if (!edge.part) return true;
    const others = own(edge);
    return others.length === 1 && !met.has(others[0]) && met.add(others[0]);
  });
  const layers = layersOf(nodes, drawn), gap = 52, wide = 240, step = 310, high = 42;
  const y = placed(layers, drawn, gap), x = new Map();
  layers.forEach((layer, at) => layer.forEach(n => x.set(n, at * step + 2)));
  const width = (layers.length - 1) * step + wide + 4, height = Math.max(...y.values()) + high + 4;
  const lines = drawn.map(edge => {
    const [from, to] = [node[edge.parent], node[edge.child]];
    const [x1, y1, x2, y2] = [x.get(from) + wide, y.get(from) + high / 2 + 2, x.get(to), y.get(to) + high / 2 + 2];
    const bend = (x1 + x2) / 2;
    const classes = ['edge', edge.part ? 'part' : '', from === node[chosenTable] || to === node[chosenTable] ? 'own' : ''].join(' ');
    return svg('path', { class: classes, d: `M${x1} ${y1}C${bend} ${y1} ${bend} ${y2} ${x2} ${y2}` },
      svg('title', {}, `${names[edge.child]} in ${names[edge.parent]}: ${edge.why}`));
  });
  const boxes = nodes.map(n => {
    const group = groupOf.get(n) ?? [n], shown = shownFor(n, chosenTable);
    const gone = group.filter(table => deletion.has(table)).length;
    const at = names[shown].lastIndexOf('/') + 1;
    const small = [humanBytes(T.bytes[shown])];
    if (group.length > 1) small.push(`+${group.length - 1} equal`);
    if (gone) small.push(group.length > 1 ? `delete ${gone}` : 'delete');
    // The folder takes what room the figures leave.
    const room = Math.min(14, 30 - small.join(' · ').length);
    if (room > 4) small.unshift(short(names[shown].slice(0, at), room));
    const classes = [gone === group.length ? 'gone' : '', shown === chosenTable ? 'chosen' : ''].join(' ');
    return svg('a', { href: fragment(shown), class: classes, },
      svg('rect', { class: 'box', x: x.get(n), y: y.get(n) + 2, width: wide, height: high, rx: 6 },
        svg('title', {}, group.map(table => names[table]).join('\n'))),
      svg('text', { x: x.get(n) + 10, y: y.get(n) + 19 }, short(names[shown].slice(at), 32)),
      svg('text', { class: 'small', x: x.get(n) + 10, y: y.get(n) + 35 }, small.filter(Boolean).join(' · ')));
  });
  const same = equalities.filter(edge => there.has(node[edge.child]));
  const inBox = n => { const box = shownFor(n, chosenTable); return box === n ? tableLink(n) : [tableLink(n), ' (drawn as ', bdi(names[box]), ')']; };
  const reasons = [...drawn, ...same];
  boxes.forEach((box, at) => {
    const mark = on => lines.forEach((line, which) => line.classList.toggle('near',
      on && [node[drawn[which].child], node[drawn[which].parent]].includes(nodes[at])));
    for (const event of ['pointerenter', 'focus']) box.addEventListener(event, () => mark(true));
    for (const event of ['pointerleave', 'blur']) box.addEventListener(event, () => mark(false));
  });
  return [
    el('p', { class: 'soft' },
      'Lines lead from a table to those that it contains, on its right; what follows from other lines is left out. '
      + (wanted.length < members ? `Drawn is what this table contains or is contained in, ${whole(wanted.length)} of the family's ${plural(members, 'table')} and groups of equal ones. ` : '')
      + (nodes.length < wanted.length ? `Only the first ${nodes.length} are drawn. ` : '')
      + (drawn.some(edge => edge.part) ? 'Dashed lines, of this table only: not all rows or columns. ' : '')
      + (D.not_drawn ? `${plural(D.not_drawn, 'more edge')} of the lake, not of all rows or columns, cannot be drawn. ` : '')),
    el('div', { class: 'scroll drawn', tabindex: '0', role: 'region', 'aria-label': 'Family as a graph' },
      svg('svg', { class: 'graph', width, height, viewBox: `0 0 ${width} ${height}`, role: 'group', 'aria-label': `Family of ${names[chosenTable]}` }, lines, boxes)),
    el('details', {},
      el('summary', {}, `Why each line holds (${whole(reasons.length)})`),
      el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Why each line holds' },
        el('table', {},
          el('thead', {}, el('tr', {}, ['table', 'is', 'other table', 'why'].map(head => el('th', { scope: 'col' }, head)))),
          el('tbody', {}, reasons.map(edge => el('tr', {},
            el('th', { scope: 'row', class: 'name' }, inBox(edge.child)),
            el('td', {}, node[edge.child] === node[edge.parent] ? 'equal to' : edge.part ? 'partly in' : 'in'),
            el('td', { class: 'name' }, inBox(edge.parent)),
            el('td', {}, edge.why))))))),
  ];
}

// Links: #table=NAME shows one; #folder=…, #which=… and their like narrow the list.
function follow() {
  const [key, value] = [location.hash.slice(1).split('=', 1)[0], location.hash.slice(1).replace(/^[^=]*=?/, '')];
  let told = '';
  try { told = decodeURIComponent(value); } catch { return; }
  if (key === 'table') {
    if (numbers.has(told)) {
      showTable(numbers.get(told));
    } else {
      byId('table-head').textContent = 'No such table in this run';
      byId('about').replaceChildren(el('p', {}, bdi(told)));
      byId('table').hidden = false;
    }
    byId('table').scrollIntoView();
    // A tall drawing begins at the table that was asked for.
    const [frame, box] = ['#about .drawn', '#about .chosen .box'].map(at => document.querySelector(at));
    if (box) frame.scrollTo(box.x.baseVal.value - 300, box.y.baseVal.value - 200);
    byId('table-head').focus({ preventScroll: true });
  } else if (key === 'which' && told in WHICH) {
    chosen = null;
    byId('query').value = '';
    byId('which').value = told;
    filter();
    byId('tables').scrollIntoView();
  } else if (Object.hasOwn(KEYS, key) && (key !== 'inside' || numbers.has(told))) {
    chosen = [key, told];
    byId('query').value = '';
    byId('which').value = 'all';
    filter();
    byId('tables').scrollIntoView();
  }
}
addEventListener('hashchange', follow);
filter();
follow();
document.documentElement.dataset.ready = 'yes';
})().catch(error => {
  document.getElementById('count').textContent = `This browser cannot draw the list: ${error.message}`;
});
