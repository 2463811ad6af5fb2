// What makes the pages live. Without it every page works as plain links and forms.
(() => {
  "use strict";
  const body = document.body;
  const doc = document.documentElement;

  // -- times: relative on screen, the viewer's own zone on hover -----------------------------------
  const relative = new Intl.RelativeTimeFormat("en", { numeric: "always", style: "narrow" });
  const absolute = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
  const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const words = (seconds) => {
    const distance = Math.abs(seconds);
    if (distance < 1) return "now";
    const [unit, size] = UNITS.find(([, least]) => distance >= least);
    return relative.format(Math.trunc(seconds / size), unit);
  };
  const skew = body.dataset.now ? Date.now() - Date.parse(body.dataset.now) : 0;
  const tellTimes = () => {
    const now = Date.now() - skew;
    for (const one of document.querySelectorAll("time[datetime]")) {
      const at = new Date(one.dateTime);
      one.title = absolute.format(at);
      if (one.dataset.kind !== "fixed") one.textContent = words((at - now) / 1000);
    }
  };
  tellTimes();
  setInterval(tellTimes, 5000);

  // -- keeping what is shown up to date --------------------------------------------------------------
  const live = document.getElementById("live");
  const screen = document.getElementById("screen");
  if (live && screen && window.htmx && window.EventSource) {
    const word = live.querySelector(".live-word");
    const pause = document.getElementById("pause");
    const poll = Number(live.dataset.poll) * 1000;
    let paused = sessionStorage.getItem("outlive-paused") === "1";
    let connected = false, missed = 0, busy = false, again = false, lastSign = Date.now();

    const tell = () => {
      const silent = Date.now() - lastSign > 40000;
      const state = paused ? "paused" : !connected ? "off" : silent ? "stale" : "live";
      live.dataset.state = state;
      body.dataset.live = state === "off" || state === "stale" ? "stale" : state;
      word.textContent = { live: "Live", off: "Disconnected", stale: "Stale", paused: missed ? `Paused, ${missed} changes` : "Paused" }[state];
      pause.hidden = false;
      pause.textContent = paused ? "Resume view" : "Pause view";
      pause.setAttribute("aria-pressed", String(paused));
    };
    const editing = () => {
      const at = document.activeElement;
      return screen.querySelector("details.menu[open], textarea:focus, input[type=text]:focus, input[type=number]:focus") !== null
        || (at && at.tagName === "SELECT");
    };
    // The server says with each answer how soon it may be asked again: watching takes less than 1 % of it.
    const restFor = (url) => {
      const entry = performance.getEntriesByName(url).at(-1);
      performance.clearResourceTimings();
      return entry?.serverTiming?.find((one) => one.name === "again")?.duration ?? 5000;
    };
    let due = 0, timer = null;
    const hint = () => {
      if (paused) { missed += 1; tell(); return; }
      if (timer === null) timer = setTimeout(refresh, Math.max(0, due - Date.now()));
    };
    const refresh = async () => {
      timer = null;
      if (paused) return;
      if (document.hidden || editing() || busy) { again = true; due = Date.now() + 1000; if (!document.hidden) hint(); return; }
      busy = true; again = false; missed = 0;
      try {
        await window.htmx.ajax("GET", location.pathname + location.search, { target: "#screen", select: "#screen", swap: "outerMorph" });
      } finally {
        busy = false;
        due = Date.now() + restFor(location.href.split("#")[0]);
        document.dispatchEvent(new CustomEvent("outlive:refreshed"));
        tellTimes();
        tell();
      }
    };
    let stream;
    const connect = () => {
      stream = new EventSource(live.dataset.stream);
      stream.addEventListener("hello", () => { const back = !connected; connected = true; lastSign = Date.now(); tell(); if (back && stream.again) hint(); });
      stream.addEventListener("changed", () => { lastSign = Date.now(); hint(); });
      stream.addEventListener("ping", () => { lastSign = Date.now(); tell(); });
      stream.onerror = () => {
        connected = false;
        tell();
        if (stream.readyState === EventSource.CLOSED) { setTimeout(connect, 3000 + Math.random() * 2000); } else { stream.again = true; }
      };
    };
    pause.addEventListener("click", () => {
      paused = !paused;
      sessionStorage.setItem("outlive-paused", paused ? "1" : "0");
      if (!paused) refresh(); else tell();
    });
    document.addEventListener("visibilitychange", () => { if (!document.hidden && again) hint(); });
    addEventListener("pagehide", () => stream.close());
    addEventListener("pageshow", (event) => { if (event.persisted) { connect(); hint(); } });
    if (poll > 0) setInterval(() => { if (!paused) hint(); }, poll);
    setInterval(tell, 5000);
    connect();
    tell();
  }

  // -- ticking rows ----------------------------------------------------------------------------------
  const countTicked = () => {
    const count = document.querySelectorAll("input[name=id]:checked").length;
    for (const one of document.querySelectorAll("[data-ticked]")) one.textContent = String(count);
    for (const one of document.querySelectorAll("[data-needs-ticked]")) one.disabled = count === 0;
  };
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-tick-all]")) {
      for (const one of document.querySelectorAll("input[name=id]")) one.checked = event.target.checked;
    }
    if (event.target.matches("select[data-submit]")) event.target.form.requestSubmit();
    countTicked();
  });
  document.addEventListener("outlive:refreshed", countTicked);
  countTicked();

  // -- copying, also on plain http -------------------------------------------------------------------
  const copy = async (text) => {
    if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
    const area = document.createElement("textarea");
    area.value = text;
    body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    return undefined;
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) {
      await copy(button.dataset.copy);
      const before = button.textContent;
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = before; }, 1200);
    }
    for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  for (const one of document.querySelectorAll("[data-copy][hidden]")) one.hidden = false;

  // -- theme -----------------------------------------------------------------------------------------
  const theme = document.getElementById("theme");
  if (theme) theme.addEventListener("submit", (event) => {
    event.preventDefault();
    const dark = doc.dataset.theme ? doc.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    doc.dataset.theme = dark ? "light" : "dark";
    document.cookie = `outlive_theme=${doc.dataset.theme}; path=${theme.dataset.path}; max-age=31536000; samesite=lax`;
    document.dispatchEvent(new CustomEvent("outlive:theme"));
  });

  // -- keys --------------------------------------------------------------------------------------------
  const rows = () => [...document.querySelectorAll("tbody .main-link")];
  const step = (by) => {
    const all = rows();
    const at = all.indexOf(document.activeElement);
    const next = all[Math.min(Math.max(at + by, 0), all.length - 1)];
    if (next) next.focus();
  };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      for (const menu of document.querySelectorAll("details.menu[open]")) menu.open = false;
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
    if (event.key === "/") {
      const box = document.querySelector("input[type=search]");
      if (box) { event.preventDefault(); box.focus(); }
    } else if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
    else if (event.key === "x") {
      const tick = document.activeElement.closest("tr")?.querySelector("input[name=id]");
      if (tick) { tick.checked = !tick.checked; countTicked(); }
    } else if (event.key === "p") document.getElementById("pause")?.click();
    else if (event.key === "?") document.getElementById("keys")?.toggleAttribute("open");
  });
})();
