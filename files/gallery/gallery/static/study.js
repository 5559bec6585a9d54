// SPDX-License-Identifier: GPL-3.0-or-later
// One study: heat map, which picture, keys; the page comes anew when its study has a new result.
import { watch } from './live.js';
import { keepTimes } from './words.js';

const study = document.getElementById('study');
const picture = document.getElementById('picture');
const heat = document.getElementById('heat');
const toggle = document.getElementById('heat-toggle');

// The heat map has the X-ray's shape; the picture with the finding has a strip below it.
function place() {
  if (!heat || !picture) return;
  const kind = document.querySelector('[name=kind]:checked')?.value || 'anonymized';
  const stage = picture.parentElement;
  const { naturalWidth: w, naturalHeight: h } = picture;
  if (!w || !heat.naturalWidth) return;
  const scale = Math.min(stage.clientWidth / w, stage.clientHeight / h);
  const width = w * scale;
  const height = kind === 'processed' ? width * (heat.naturalHeight / heat.naturalWidth) : h * scale;
  Object.assign(heat.style, {
    inset: 'auto', objectFit: 'fill', width: `${width}px`, height: `${height}px`,
    left: `${(stage.clientWidth - width) / 2}px`, top: `${(stage.clientHeight - h * scale) / 2}px`,
  });
}

toggle?.addEventListener('change', () => { heat.hidden = !toggle.checked; place(); });
picture?.addEventListener('load', place);
heat?.addEventListener('load', place);
addEventListener('resize', place);
for (const input of document.querySelectorAll('[name=kind]')) {
  input.addEventListener('change', () => {
    picture.src = input.dataset.src;
    picture.alt = `Chest X-ray, ${input.nextElementSibling.textContent.toLowerCase()}`;
  });
}

addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const choosing = event.target.closest('input[type=radio], select');
  const to = (selector) => { const link = document.querySelector(selector); if (link) location.href = link.href; };
  if (event.key === 'h' && toggle) toggle.click();
  if (event.key === 'Escape') location.href = '/studies';
  if (choosing) return;
  if (event.key === 'ArrowLeft') to('.panel a[rel=prev]');
  if (event.key === 'ArrowRight') to('.panel a[rel=next]');
});

watch(study.dataset.place, {
  studies: (studies) => {
    const mine = studies.find((other) => other.image === study.dataset.image);
    if (mine && mine.version !== study.dataset.version) location.reload();
  },
  reload: () => {},
});
keepTimes();
