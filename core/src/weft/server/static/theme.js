// Applied before the page is drawn, so that it does not flash.
(() => {
  document.documentElement.classList.add("js");
  const chosen = localStorage.getItem("weft-theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
})();
