// SPDX-License-Identifier: GPL-3.0-or-later
// Four small charts of the last minutes or hours, drawn as SVG. Each says in a sentence what it shows.
import { count, seconds } from './words.js';

const SVG = 'http://www.w3.org/2000/svg';
const W = 480, H = 140, LEFT = 34, RIGHT = 4, TOP = 8, BOTTOM = 20;
const board = document.getElementById('charts');
const thresholds = [Number(board.dataset.normal), Number(board.dataset.pneumonia)];

const add = (parent, name, attributes, text) => {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
};

const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
const clock = (epoch) => new Date(epoch * 1000).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });

// A round number at or above the greatest value.
function ceiling(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((step) => step * power).find((step) => step >= value);
}

function begin(name, now, sentence) {
  const figure = board.querySelector(`[data-chart=${name}]`);
  const svg = figure.querySelector('svg');
  svg.replaceChildren();
  const width = Math.max(240, svg.clientWidth || W), height = svg.clientHeight || H;
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
  figure.querySelector('.now').textContent = now;
  svg.setAttribute('aria-label', sentence);
  return { svg, width: width - LEFT - RIGHT, height: height - TOP - BOTTOM };
}

function axes({ svg, width, height }, data, marks) {
  for (const [share, text, kind] of marks) {
    const y = TOP + height * (1 - share);
    add(svg, 'line', { x1: LEFT, x2: LEFT + width, y1: y, y2: y, class: kind || 'rule' });
    add(svg, 'text', { x: LEFT - 7, y: y + 4, 'text-anchor': 'end' }, text);
  }
  const n = data.received.length;
  for (const [at, anchor] of [[0, 'start'], [n / 2, 'middle'], [n, 'end']]) {
    const text = at === n ? 'now' : clock(data.begin + at * data.width);
    add(svg, 'text', { x: LEFT + (width * at) / n, y: TOP + height + 16, 'text-anchor': anchor }, text);
  }
}

function drawRisks(data) {
  const total = sum(data.risks.map(sum));
  const high = sum(data.pneumonia);
  const area = begin('risks', total ? `${Math.round((100 * high) / total)} % Pneumonia` : '',
    `Risk of pneumonia over time: of ${count(total)} studies, ${count(high)} are above ${thresholds[1]}.`);
  axes(area, data, [[0, '0', ''], [1, '1', ''], [thresholds[0], thresholds[0], 'threshold'], [thresholds[1], thresholds[1], 'threshold']]);
  const { svg, width, height } = area;
  const steps = data.risks[0].length;
  const most = Math.max(1, ...data.risks.flat());
  const w = width / data.risks.length, h = height / steps;
  data.risks.forEach((column, i) => column.forEach((number, step) => {
    if (!number) return;
    const middle = (step + 0.5) / steps;
    const tone = middle > thresholds[1] ? 'pneumonia' : middle < thresholds[0] ? 'normal' : 'unsure';
    add(svg, 'rect', {
      class: tone, x: LEFT + i * w + 0.5, y: TOP + height - (step + 1) * h + 0.5, width: Math.max(1, w - 1), height: h - 1, rx: 1,
      opacity: (0.25 + 0.75 * Math.sqrt(number / most)).toFixed(2),
    });
  }));
}

function drawLabels(data) {
  const parts = ['normal', 'unsure', 'pneumonia', 'without'];
  const top = ceiling(Math.max(...data.recorded));
  const area = begin('labels', count(sum(data.recorded)),
    `Studies recorded: ${count(sum(data.recorded))}; ${parts.slice(0, 3).map((part) => `${count(sum(data[part]))} ${part}`).join(', ')}.`);
  axes(area, data, [[0, '0'], [1, count(top)]]);
  const { svg, width, height } = area;
  const w = width / data.recorded.length;
  data.recorded.forEach((_, i) => {
    let y = TOP + height;
    for (const part of parts) {
      const h = (height * data[part][i]) / top;
      if (!h) continue;
      y -= h;
      add(svg, 'rect', { class: part, x: LEFT + i * w + 0.5, y, width: Math.max(1, w - 1), height: h, rx: 1 });
    }
  });
}

// Lines end where a time has no study, and lone points stay to be seen.
function line(area, values, top, name) {
  const { svg, width, height } = area;
  const step = width / values.length;
  let path = '';
  values.forEach((value, i) => {
    if (value === null) return;
    const x = (LEFT + (i + 0.5) * step).toFixed(1), y = (TOP + height * (1 - value / top)).toFixed(1);
    const joined = i > 0 && values[i - 1] !== null;
    path += `${joined ? 'L' : 'M'}${x} ${y}`;
    if (!joined && (i + 1 >= values.length || values[i + 1] === null)) add(svg, 'circle', { class: `dot ${name}`, cx: x, cy: y, r: 2 });
  });
  if (path) add(svg, 'path', { class: `line ${name}`, d: path });
}

function drawSeconds(data) {
  const known = data.p95.filter((value) => value !== null);
  const top = ceiling(Math.max(0, ...known));
  const last = data.p50.findLast((value) => value !== null);
  const area = begin('seconds', last === undefined ? '' : `${seconds(last)} · p95 ${seconds(data.p95.findLast((value) => value !== null))}`,
    `From stored to recorded: half of the studies within ${seconds(last)}, at most ${seconds(Math.max(0, ...known))} for 95 of 100.`);
  axes(area, data, [[0, '0'], [1, seconds(top)]]);
  line(area, data.p95, top, 'far');
  line(area, data.p50, top, '');
}

function drawWaiting(data) {
  const now = data.waiting.at(-1);
  const top = ceiling(Math.max(...data.waiting));
  const area = begin('waiting', count(now), `Waiting: ${count(now)} now, at most ${count(Math.max(...data.waiting))}.`);
  axes(area, data, [[0, '0'], [1, count(top)]]);
  const { svg, width, height } = area;
  const step = width / data.waiting.length;
  const points = data.waiting.map((value, i) => `L${(LEFT + (i + 0.5) * step).toFixed(1)} ${(TOP + height * (1 - value / top)).toFixed(1)}`).join('');
  add(svg, 'path', { class: 'area', d: `M${LEFT + step / 2} ${TOP + height}${points}L${LEFT + width - step / 2} ${TOP + height}Z` });
  add(svg, 'path', { class: 'line', d: `M${points.slice(1)}` });
}

function drawTable(data) {
  const rows = data.recorded.map((recorded, i) => [
    clock(data.begin + (i + 1) * data.width), recorded, data.normal[i], data.unsure[i], data.pneumonia[i],
    seconds(data.p50[i]), seconds(data.p95[i]), data.waiting[i],
  ]).filter((row) => row[1] || row[7]).reverse();
  document.querySelector('#chart-table tbody').replaceChildren(...rows.map((row) => {
    const tr = document.createElement('tr');
    for (const cell of row) tr.insertCell().textContent = cell;
    return tr;
  }));
}

let latest;

export function draw(data) {
  latest = data;
  for (const chart of [drawRisks, drawLabels, drawSeconds, drawWaiting, drawTable]) chart(data);
}

let resizing;
addEventListener('resize', () => {
  clearTimeout(resizing);
  resizing = setTimeout(() => latest && draw(latest), 150);
});
