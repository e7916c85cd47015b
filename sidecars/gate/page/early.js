// Runs before the first paint, so that a chosen theme does not flash: the rest of the page is modules.
try {
  document.documentElement.dataset.theme = localStorage.getItem('theme') ?? 'auto';
} catch {
  document.documentElement.dataset.theme = 'auto';
}
