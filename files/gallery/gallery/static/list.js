// SPDX-License-Identifier: GPL-3.0-or-later
// The list of studies: filters that apply at once, keys, and new studies on the first page.
import { tell, watch } from './live.js';
import { find, mend, put } from './tiles.js';
import { keepTimes } from './words.js';

const LIMIT = 48;
const list = document.getElementById('list');
const form = document.querySelector('.filters');
const wanted = list.dataset;

const fits = (study) => (!wanted.label || study.label === wanted.label)
  && (!wanted.outcome || study.outcome === wanted.outcome) && (!wanted.model || study.model === wanted.model);

document.documentElement.classList.add('scripted');
form.addEventListener('change', () => form.requestSubmit());
// Empty fields say nothing: they stay out of the address.
form.addEventListener('formdata', ({ formData }) => {
  for (const [name, value] of [...formData]) if (!value) formData.delete(name);
});

function move(by) {
  const links = [...list.querySelectorAll('a')];
  const at = links.indexOf(document.activeElement);
  links[Math.min(links.length - 1, Math.max(0, at + by))]?.focus();
}

addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input, select, textarea')) return;
  const deed = {
    j: () => move(1), k: () => move(-1), o: () => { location.href = '/'; },
    '/': () => form.querySelector('input:checked').focus(),
  }[event.key];
  if (deed) {
    event.preventDefault();
    deed();
  }
});

// Not location.reload(): where several servers take turns, each would send the page to the other.
async function fetchAll() {
  const answer = await fetch(location.href, { headers: { accept: 'text/html' } });
  if (answer.redirected) return location.reload();
  if (!answer.ok) return undefined;
  const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html').getElementById('list');
  return fresh && list.replaceChildren(...fresh.children);
}

if (wanted.live === 'true') {
  watch(wanted.place, {
    studies: (studies) => {
      for (const study of studies) {
        if (fits(study)) put(list, study, LIMIT);
        else find(list, study.image)?.remove();
      }
      tell(studies.filter(fits));
    },
    reload: fetchAll,
  });
}
keepTimes();
mend();
