// Small comforts. Everything also works without: forms are forms and links are links.
(() => {
  const dark = () => {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };

  document.querySelector("button.theme")?.addEventListener("click", () => {
    const theme = dark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    localStorage.setItem("weft-theme", theme);
    document.dispatchEvent(new Event("weft:theme"));
  });

  const menu = document.querySelector("button.menu");
  menu?.addEventListener("click", () => {
    const open = menu.getAttribute("aria-expanded") !== "true";
    menu.setAttribute("aria-expanded", String(open));
    document.body.classList.toggle("menu-open", open);
  });

  document.addEventListener("submit", (event) => {
    const words = event.target.dataset.confirm;
    if (words && !confirm(words)) event.preventDefault();
  });

  // A filter is applied as soon as something is chosen.
  document.querySelectorAll("form[data-filter]").forEach((form) => {
    form.addEventListener("change", (event) => {
      if (event.target.matches("select, input[type=date]")) form.requestSubmit();
    });
    form.addEventListener("submit", () => {
      form.querySelectorAll("select, input").forEach((field) => { if (!field.value) field.disabled = true; });
    });
  });

  // Skipping needs a reason, retrying does not.
  document.querySelectorAll("form[data-bulk]").forEach((form) => {
    form.querySelector("[data-all]")?.addEventListener("change", (event) => {
      form.querySelectorAll("input[name=ids]").forEach((box) => { box.checked = event.target.checked; });
    });
    form.addEventListener("submit", (event) => {
      const reason = form.querySelector("input[name=reason]");
      const skipping = event.submitter?.getAttribute("formaction") === "/do/issues/skip";
      if (reason && skipping && !reason.value.trim()) {
        event.preventDefault();
        reason.setCustomValidity("Say why they are skipped.");
        reason.reportValidity();
        reason.setCustomValidity("");
      }
    });
  });

  // Pages that show something under way look again, unless somebody is in the middle of something.
  const busy = () =>
    document.hidden || document.querySelector("details.drop[open]") || document.activeElement?.matches("input, select");
  const live = document.getElementById("live");
  if (live) {
    setInterval(() => {
      if (busy()) return;
      const focused = document.activeElement?.id;
      window.htmx.ajax("GET", location.pathname + location.search, { target: "#live", select: "#live", swap: "outerHTML" })
        .then(() => { if (focused) document.getElementById(focused)?.focus(); });
    }, Number(live.dataset.refresh) * 1000);
  }
  const again = document.querySelector("[data-reload]");
  if (again) {
    const look = () => { if (busy()) setTimeout(look, 1000); else location.reload(); };
    setTimeout(look, Number(again.dataset.reload) * 1000);
  }
})();
