// SPDX-License-Identifier: GPL-3.0-or-later
// Numbers and moments in words, the same as the server writes them (pages.py).

export function seconds(value) {
  if (value === null || value === undefined) return '–';
  if (value < 1) return `${Math.round(value * 1000)} ms`;
  return value < 100 ? `${value.toFixed(1)} s` : `${Math.round(value / 60)} min`;
}

export function size(value) {
  if (value === null || value === undefined) return '–';
  for (const unit of ['B', 'kB', 'MB']) {
    if (value < 1000) return `${unit !== 'B' && value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
    value /= 1000;
  }
  return `${value.toFixed(1)} GB`;
}

const counts = new Intl.NumberFormat('en');
export const count = (value) => counts.format(value);
export const written = { seconds, size, count };

export function ago(moment) {
  const past = Math.max(0, (Date.now() - Date.parse(moment)) / 1000);
  if (past < 2) return 'now';
  if (past < 60) return `${Math.floor(past)} s ago`;
  if (past < 3600) return `${Math.floor(past / 60)} min ago`;
  if (past < 86400) return `${Math.floor(past / 3600)} h ago`;
  return new Date(moment).toLocaleDateString('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });
}

// Every <time> on the page says how long ago it was; the exact moment stays in its title.
export function keepTimes() {
  const write = () => {
    for (const time of document.querySelectorAll('time[datetime]')) {
      if (!time.dateTime) continue;
      time.title = new Date(time.dateTime).toLocaleString('en-GB', { timeZoneName: 'short' });
      const text = ago(time.dateTime);
      if (time.textContent !== text) time.textContent = text;
    }
  };
  write();
  setInterval(write, 1000);
}

const findings = { waiting: 'Waiting', rejected: 'Not assessable', failed: 'Failed', assessed: 'Assessed' };
export const finding = (study) => study.label || findings[study.outcome];
