// SPDX-License-Identifier: GPL-3.0-or-later
// The connection that tells this page what happens, and what is said of it to those who listen.

const TOLD_SECONDS = 10;

// `on` has a function for each kind of event: studies, figures, reload. `place` is where the page was made.
export function watch(place, on) {
  const lamp = document.querySelector('.live');
  const say = (state, text) => {
    if (!lamp || lamp.dataset.state === state) return;
    lamp.dataset.state = state;
    lamp.querySelector('.live-text').textContent = text;
  };
  let source;
  const connect = () => {
    source = new EventSource(`/events?from=${encodeURIComponent(place)}`);
    source.addEventListener('open', () => say('live', 'Live'));
    source.addEventListener('lost', () => say('lost', 'Results cannot be read'));
    source.addEventListener('error', () => {
      say('lost', 'Connecting again');
      // A refused request (signed out, or the server restarts behind a proxy) ends an EventSource for good.
      if (source.readyState === EventSource.CLOSED) setTimeout(connect, 3000);
    });
    for (const kind of ['studies', 'figures', 'reload']) {
      source.addEventListener(kind, (event) => {
        place = event.lastEventId || place;
        // Only this ends what `lost` began: figures may still be on their way when the database goes.
        if (kind === 'reload') say('live', 'Live');
        on[kind]?.(JSON.parse(event.data));
      });
    }
  };
  connect();
  // A page that the browser keeps for the back button must not keep its connection.
  addEventListener('pagehide', () => source.close());
  addEventListener('pageshow', (event) => { if (event.persisted) connect(); });
}

let untold = { studies: new Set(), pneumonia: new Set() };
let toldAt = 0, timer = 0;

// At most one polite sentence in a while: a busy facility must not drown a screen reader.
export function tell(studies) {
  for (const study of studies) {
    if (study.outcome === 'waiting') continue;
    untold.studies.add(study.image);
    if (study.label === 'Pneumonia') untold.pneumonia.add(study.image);
  }
  if (untold.studies.size && !timer) timer = setTimeout(speak, Math.max(0, toldAt + TOLD_SECONDS * 1000 - Date.now()));
}

function speak() {
  const { studies, pneumonia } = untold;
  untold = { studies: new Set(), pneumonia: new Set() };
  toldAt = Date.now();
  timer = 0;
  document.getElementById('told').textContent =
    `${studies.size} new ${studies.size === 1 ? 'result' : 'results'}, ${pneumonia.size} with Pneumonia.`;
}
