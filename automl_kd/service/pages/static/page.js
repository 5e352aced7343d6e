// What makes the pages livelier; without it they work by forms, links and reloading.
"use strict";

(() => {
  const main = document.querySelector("main");
  const LEAST = 1500; // ms between two refreshes
  let last = 0, waiting = null;

  // Replaces what has changed, but nothing that the user is in.
  function renew(fresh) {
    for (const old of document.querySelectorAll("[data-live]")) {
      const other = fresh.getElementById(old.id);
      if (!other || other.innerHTML === old.innerHTML) continue;
      if (old.contains(document.activeElement) || old.querySelector("input:checked, details[open]")) continue;
      old.replaceChildren(...other.cloneNode(true).childNodes);
    }
    // What appears for the first time, as the front of a search that has just begun, needs the whole page.
    const here = new Set([...document.querySelectorAll("[data-live]")].map((each) => each.id));
    const more = [...fresh.querySelectorAll("[data-live]")].some((each) => !here.has(each.id));
    if (more && !main.contains(document.activeElement)) main.replaceChildren(...fresh.querySelector("main").childNodes);
  }

  async function refresh() {
    waiting = null;
    last = Date.now();
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (answer.ok) renew(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch { /* the service is away; the next event or the next look tries again */ }
  }

  function soon() {
    if (waiting === null) waiting = setTimeout(refresh, Math.max(0, LEAST - (Date.now() - last)));
  }

  const events = main.dataset.events;
  if (events) {
    const source = new EventSource(events);
    for (const kind of ["state", "progress", "front", "note"]) source.addEventListener(kind, soon);
    addEventListener("pagehide", () => source.close());
  }
  const seconds = Number(main.dataset.reload);
  if (seconds) setInterval(() => { if (!document.hidden) refresh(); }, 1000 * seconds);

  // Forms that take a while say so, and are not sent twice.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.sent) { event.preventDefault(); return; }
    const button = event.submitter; // which may stand elsewhere, and say something else
    const wait = button?.dataset.wait ?? form.dataset.wait;
    if (!wait) return;
    form.dataset.sent = "yes";
    const near = button && !form.contains(button) ? button : form.parentElement;
    const status = (near !== button && form.querySelector("[data-status]")) || near.closest("section, main").querySelector("[data-status]");
    if (status) status.textContent = wait;
  });
  addEventListener("pageshow", () => { for (const form of document.forms) delete form.dataset.sent; });
})();
