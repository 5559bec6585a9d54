// SPDX-License-Identifier: GPL-3.0-or-later
// Tiles of studies: made from the server's own markup (the template #tile), filled and replaced as results come.
import { finding, ago } from './words.js';

const AGAIN_MS = 1000;
const template = document.getElementById('tile');

const shows = (study, kind) => (kind === 'anonymized' ? study.anonymized : study.processed);

export function fill(tile, study, list) {
  const { kind, heat } = list.dataset;
  Object.assign(tile.dataset, {
    image: study.image, outcome: study.outcome, label: study.label || '', at: study.received || '', recorded: study.recorded || '',
  });
  tile.querySelector('a').href = `/studies/${study.image}`;
  const word = tile.querySelector('.finding');
  word.dataset.label = study.label || study.outcome;
  word.querySelector('.word').textContent = finding(study);
  word.querySelector('.risk').textContent = study.risk === null ? '' : study.risk.toFixed(2);
  const time = tile.querySelector('time');
  time.dateTime = study.received;
  time.textContent = ago(study.received);
  const address = (name) => `/images/${study.image}/${name}?v=${study.version}`;
  const pictures = shows(study, kind) ? [address(`small-${kind}`)] : [];
  if (pictures.length && heat === 'true' && study.heatmap) pictures.push(address('heatmap'));
  show(tile.querySelector('.frame'), pictures);
  return tile;
}

// The picture and, upon it, the heat map.
function show(frame, addresses) {
  const there = [...frame.querySelectorAll('img')];
  if (there.map((img) => img.getAttribute('src').replace('&again', '')).join() === addresses.join()) return;
  there.forEach((img) => img.remove());
  frame.prepend(...addresses.map((address, upon) => {
    const img = new Image(320, 320);
    img.alt = '';
    img.className = upon ? 'heat coming' : 'coming';
    img.addEventListener('load', () => img.classList.remove('coming'), { once: true });
    img.src = address;
    again(img);
    return img;
  }));
}

// Puts a study into a list: in the place of its earlier tile, else at the top; the list keeps its length.
export function put(list, study, limit) {
  const known = find(list, study.image);
  if (known && !(list.dataset.lane === 'assessed' && known.dataset.recorded !== study.recorded)) {
    fill(known, study, list);
    return;
  }
  known?.remove();
  const tile = fill(template.content.firstElementChild.cloneNode(true), study, list);
  tile.classList.add('new');
  list.prepend(tile);
  while (list.children.length > limit) list.lastElementChild.remove();
}

export const find = (list, image) => [...list.children].find((tile) => tile.dataset.image === image);

// A picture that fails is asked for once more; when it fails again (deleted meanwhile, say) the frame stays empty, not broken.
function again(img) {
  img.addEventListener('error', () => setTimeout(() => {
    img.addEventListener('error', () => img.remove(), { once: true });
    img.src = `${img.getAttribute('src')}&again`;
  }, AGAIN_MS), { once: true });
}

export function mend() {
  for (const img of document.querySelectorAll('.frame img')) {
    again(img);
    if (img.complete && !img.naturalWidth) img.dispatchEvent(new Event('error'));
  }
}
