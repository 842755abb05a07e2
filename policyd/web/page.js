// Keeps the page fresh: fetches it again and changes only what is different, in place. So what the
// reader has selected, focused, scrolled to, opened or closed stays as it is. An element with an id
// is the same one wherever it stands; others are matched by their place. Without this script the
// page reloads as a whole (noscript).
"use strict";

const PERIOD = 5000;

function patch(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !readers(old, name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !readers(old, name)) old.setAttribute(name, value);
  }
  children(old, fresh);
}

// Whether an attribute is the reader's to change.
function readers(element, name) {
  return element.nodeName === "DETAILS" && name === "open";
}

function children(old, fresh) {
  const kept = new Map();
  const wanted = new Set([...fresh.children].map((child) => child.id));
  for (const child of [...old.children]) {
    if (!child.id) continue;
    if (wanted.has(child.id)) kept.set(child.id, child);
    else child.remove();
  }
  let at = old.firstChild;
  for (const child of fresh.childNodes) {
    const match = child.id ? kept.get(child.id) : alike(at, child) ? at : null;
    if (!match) {
      old.insertBefore(document.importNode(child, true), at);
      continue;
    }
    if (match === at) at = at.nextSibling;
    else old.insertBefore(match, at);
    patch(match, child);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function alike(old, fresh) {
  return old && !old.id && old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName;
}

// An element that moves loses the focus, and texts that change lose the ends of a selection.
function keeping(change) {
  const focus = document.activeElement;
  const { anchorNode, anchorOffset, focusNode, focusOffset } = getSelection();
  change();
  if (focus !== document.activeElement && focus.isConnected) focus.focus({ preventScroll: true });
  if (!anchorNode || !anchorNode.isConnected || !focusNode.isConnected) return;
  const within = (node, offset) => Math.min(offset, (node.nodeValue ?? node.childNodes).length);
  getSelection().setBaseAndExtent(
    anchorNode, within(anchorNode, anchorOffset), focusNode, within(focusNode, focusOffset),
  );
}

async function refresh() {
  const live = document.getElementById("live");
  try {
    const answer = await fetch("/", { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.status);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    keeping(() => {
      for (const part of ["page", "foot", "live"]) {
        patch(document.getElementById(part), fresh.getElementById(part));
      }
    });
    document.title = fresh.title;
  } catch (error) {
    live.classList.add("stale");
    live.textContent = "mxheed does not answer; what you see is old";
  }
}

setInterval(() => document.hidden || refresh(), PERIOD);
document.addEventListener("visibilitychange", () => document.hidden || refresh());
