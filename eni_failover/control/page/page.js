"use strict";
// Keeps the page up to date from the event stream. Every fact is in the HTML before this runs.
(() => {
  const SILENT_MS = 12000; // two heartbeats are missing
  const LOST_MS = 3000; // a daemon that starts again is back by then
  const REOPEN_MS = 5000;
  const page = document.getElementById("page");
  const notice = document.getElementById("notice");
  const spoken = document.getElementById("spoken");
  let heardAt = Date.now();
  let lostAt = null;
  let late = null; // seconds for which no pass has ended, when that is too long
  let ahead = null; // milliseconds that the daemon's clock is ahead of this one

  // Makes `have` like `want`, touching only what differs: focus, selection and open details stay.
  function patch(have, want) {
    for (const { name } of [...have.attributes]) {
      if (name !== "open" && !want.hasAttribute(name)) have.removeAttribute(name);
    }
    for (const { name, value } of want.attributes) {
      if (have.getAttribute(name) !== value) have.setAttribute(name, value);
    }
    const old = [...have.childNodes];
    const fresh = [...want.childNodes];
    fresh.forEach((node, index) => {
      const twin = old[index];
      if (!twin) have.append(node);
      else if (twin.nodeName !== node.nodeName) twin.replaceWith(node);
      else if (node.nodeType === Node.TEXT_NODE) write(twin, node.data);
      else if (!twin.hasAttribute("data-own")) patch(twin, node);
    });
    old.slice(fresh.length).forEach((node) => node.remove());
  }

  function write(node, text) {
    if (node.textContent !== text) node.textContent = text;
  }

  function span(ms) {
    const s = ms / 1000;
    if (s < 60) return `${Math.round(s)} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min`;
    return s < 172800 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86400)} d`;
  }

  function age(ms) {
    if (Math.abs(ms) < 1500) return "just now";
    return ms > 0 ? `${span(ms)} ago` : `in ${span(-ms)}`;
  }

  function show(name, text) {
    const mark = document.getElementById("mark");
    mark.className = `badge ${name}`;
    write(mark, text);
  }

  function trouble(now) {
    const silent = now - heardAt;
    if (silent > SILENT_MS || (lostAt !== null && now - lostAt > LOST_MS)) {
      return `Not live: nothing heard from the daemon for ${span(silent)}. What follows is old. Trying again.`;
    }
    return late === null ? "" : `No pass has ended for ${Math.round(late)} s: what follows is old.`;
  }

  function tick() {
    const now = Date.now();
    if (ahead !== null) {
      for (const node of page.querySelectorAll("[data-at]")) {
        write(node, `(${age(now + ahead - node.dataset.at * 1000)})`);
      }
    }
    const words = trouble(now);
    write(notice, words);
    notice.hidden = !words;
    if (words) show("bad", "✕ not live");
    else if (ahead === null) show("quiet", "connecting");
    else show("good", "✓ live");
    if (document.body.classList.contains("stale") !== Boolean(words)) {
      const stale = document.body.classList.toggle("stale");
      write(spoken, stale ? words : "Live again.");
    }
  }

  function heard() {
    heardAt = Date.now();
    lostAt = null;
  }

  function onPage(event) {
    heard();
    const want = new DOMParser().parseFromString(event.data, "text/html").getElementById("page");
    const before = page.dataset.announce;
    patch(page, want);
    document.title = page.dataset.title;
    if (page.dataset.announce !== before) write(spoken, page.dataset.announce);
    tick();
  }

  function onHeartbeat(event) {
    heard();
    const beat = JSON.parse(event.data);
    ahead = Date.parse(beat.now) - heardAt;
    late = beat.alive ? null : beat.last_pass_ended_s;
    const seen = page.querySelector("#seen time");
    if (seen) {
      const at = new Date(heardAt + ahead - beat.last_pass_ended_s * 1000).toISOString();
      seen.dateTime = at;
      write(seen, `${at.slice(0, 10)} ${at.slice(11, 19)} UTC`);
      page.querySelector("#seen .age").dataset.at = Date.parse(at) / 1000;
    }
    tick();
  }

  function open() {
    const source = new EventSource("events?view=page");
    source.addEventListener("page", onPage);
    source.addEventListener("heartbeat", onHeartbeat);
    source.onerror = () => {
      lostAt ??= Date.now();
      if (source.readyState === EventSource.CLOSED) setTimeout(open, REOPEN_MS);
    };
  }

  document.title = page.dataset.title;
  tick();
  open();
  setInterval(tick, 1000);
})();
