// Before the first paint: the theme that the reader chose, so that the page does not flash in the other one.
(() => {
  try {
    const theme = localStorage.getItem("recspeed-theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage is closed in some private windows; then the system's theme holds.
  }
  if (new URLSearchParams(location.search).get("embed") === "1") document.documentElement.classList.add("embed");
})();
