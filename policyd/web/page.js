// Keeps the page fresh: fetches it again, swaps the two parts that change, and leaves what the
// reader has opened or closed as it was. Without it the page reloads as a whole (noscript).
"use strict";

const PERIOD = 5000;

function choices() {
  return new Map([...document.querySelectorAll("details[id]")].map((d) => [d.id, d.open]));
}

async function refresh() {
  const live = document.getElementById("live");
  try {
    const answer = await fetch("/", { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.status);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const open = choices();
    for (const part of ["page", "foot", "live"]) {
      document.getElementById(part).replaceWith(fresh.getElementById(part));
    }
    for (const [id, wasOpen] of open) {
      const details = document.getElementById(id);
      if (details) details.open = wasOpen;
    }
    document.title = fresh.title;
  } catch (error) {
    live.classList.add("stale");
    live.textContent = "mxheed does not answer; what you see is old";
  }
}

setInterval(() => document.hidden || refresh(), PERIOD);
document.addEventListener("visibilitychange", () => document.hidden || refresh());
