// SPDX-License-Identifier: GPL-3.0-or-later
// The live overview: figures of the flow, three lanes of pictures, charts.
import { draw } from './charts.js';
import { tell, watch } from './live.js';
import { mend, put } from './tiles.js';
import { keepTimes, written } from './words.js';

const LIMIT = 12, PULSES = 6;
const flow = document.getElementById('flow');
const lanes = Object.fromEntries([...document.querySelectorAll('[data-lane]')].map((list) => [list.dataset.lane, list]));
const calm = matchMedia('(prefers-reduced-motion: reduce)');

function showFigures(figures) {
  for (const place of document.querySelectorAll('[data-figure]')) {
    const value = place.dataset.figure.split('.').reduce((found, name) => found?.[name], figures);
    const text = written[place.dataset.as](value);
    if (place.textContent !== text) place.textContent = text;
  }
}

// One row of each lane is seen; what does not fit must not be reached by keys either. Phones scroll.
function fit() {
  for (const list of Object.values(lanes)) {
    const style = getComputedStyle(list);
    if (style.overflowX === 'auto') continue;
    for (const tile of list.children) tile.hidden = false;
    const { right, top } = list.getBoundingClientRect();
    const outside = [...list.children].map((tile) => tile.getBoundingClientRect()).map((box) => box.right > right + 1 || box.top > top + 1);
    outside.forEach((hidden, i) => { list.children[i].hidden = hidden; });
  }
}

// A dot runs along the line from a hop to the next when a study does.
function pulse(name) {
  const hop = flow.querySelector(`[data-hop=${name}]`);
  hop.classList.add('beat');
  setTimeout(() => hop.classList.remove('beat'), 500);
  if (calm.matches || hop.querySelectorAll('.pulse').length >= PULSES) return;
  const dot = document.createElement('span');
  dot.className = 'pulse';
  dot.setAttribute('aria-hidden', 'true');
  hop.append(dot);
  dot.animate(
    [{ transform: 'translateX(0)', opacity: 0 }, { opacity: 1, offset: 0.2 }, { opacity: 1, offset: 0.8 },
      { transform: `translateX(${hop.clientWidth - 40}px)`, opacity: 0 }],
    { duration: 900, easing: 'cubic-bezier(.4,0,.4,1)' },
  ).finished.finally(() => dot.remove());
}

function showStudy(study) {
  put(lanes.incoming, study, LIMIT);
  if (study.outcome === 'waiting') {
    ['store', 'events'].forEach((name, i) => setTimeout(pulse, i * 250, name));
    return;
  }
  put(lanes.assessed, study, LIMIT);
  if (study.anonymized) put(lanes.deidentified, study, LIMIT);
  ['assessment', 'results', 'dashboard'].forEach((name, i) => setTimeout(pulse, i * 250, name));
}

async function fetchAll() {
  const answer = await fetch('/api/newest', { headers: { accept: 'application/json' } });
  if (answer.status === 401) return location.reload();
  if (!answer.ok) return undefined;
  const { lanes: studies, figures } = await answer.json();
  for (const [name, list] of Object.entries(lanes)) {
    const shown = studies[name];
    for (const tile of [...list.children]) if (!shown.some((study) => study.image === tile.dataset.image)) tile.remove();
    for (const study of [...shown].reverse()) put(list, study, LIMIT);
  }
  fit();
  return showFigures(figures);
}

let charted = 0, asked = false;

async function showCharts() {
  const range = document.querySelector('[name=range]:checked').value;
  const answer = await fetch(`/api/series?range=${range}`);
  if (answer.ok) draw(await answer.json());
  charted = Date.now();
}

// Charts follow the studies, but not each of them.
function chartSoon() {
  if (asked) return;
  asked = true;
  setTimeout(() => { asked = false; showCharts(); }, Math.max(0, charted + 4000 - Date.now()));
}

watch(flow.dataset.place, {
  studies: (studies) => { studies.forEach(showStudy); fit(); tell(studies); chartSoon(); },
  figures: showFigures,
  reload: fetchAll,
});
for (const input of document.querySelectorAll('[name=range]')) input.addEventListener('change', showCharts);
setInterval(() => { if (!document.hidden) chartSoon(); }, 15000);
addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input, select, textarea')) return;
  if (event.key === 's') location.href = '/studies';
  if (event.key === 'w') location.hash = location.hash === '#wall' ? '' : 'wall';
});

function wall() {
  document.body.classList.toggle('wall', location.hash === '#wall');
  fit();
  dispatchEvent(new Event('resize')); // the charts take their new size
}
addEventListener('hashchange', wall);
addEventListener('resize', fit);
wall();
keepTimes();
mend();
showCharts();
