// Runs before the first paint, so that a chosen theme does not flash: the rest of the page is modules.
try {
  document.documentElement.dataset.theme = localStorage.getItem('theme') ?? 'auto';
} catch {
  document.documentElement.dataset.theme = 'auto';
}
// A module that did not arrive (the network changed while the page loaded) leaves the page empty: load it again.
addEventListener('error', ({ target }) => { if (target.tagName === 'SCRIPT') setTimeout(() => location.reload(), 1_000); }, true);
