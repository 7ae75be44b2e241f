// The console's one script. Pages work without it; it adds what moves by itself.
"use strict";

// Keys: / goes to the page's search field, g and a letter to another page.
let going = false;
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") {
    const search = document.querySelector("[type=search]");
    if (search) {
      event.preventDefault();
      search.focus();
    }
  } else if (going) {
    document.querySelector(`nav a[data-key="${CSS.escape(event.key)}"]`)?.click();
  }
  going = event.key === "g";
});

// On a phone the navigation scrolls: show where we are.
document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

// Live parts: the server sends pieces of the page. One whose id is on the page takes
// its place; a list item that is new goes to the top of the list. A part in which
// somebody is, is left as it is. Nobody looks at a hidden tab: it listens to nothing.
function place(piece, root) {
  const known = document.getElementById(piece.id);
  if (known) {
    if (!known.contains(document.activeElement)) known.replaceWith(piece);
    return;
  }
  const list = root.querySelector("[data-list]");
  if (!list || !piece.matches("li")) return;
  piece.classList.add("arrived");
  list.prepend(piece);
  while (list.childElementCount > Number(list.dataset.list)) list.lastElementChild.remove();
}

function listen(root) {
  let source = null;
  const state = root.querySelector("[data-state]");
  const say = (text) => state && (state.textContent = text);
  const pause = root.querySelector("[data-pause]");
  const wanted = () => !document.hidden && pause?.getAttribute("aria-pressed") !== "true";
  const update = () => {
    if (wanted() && !source) {
      source = new EventSource(root.dataset.stream);
      source.onopen = () => say("Live");
      source.onerror = () => say(source?.readyState === EventSource.CLOSED ? "Ended: load the page again" : "Connecting…");
      source.onmessage = (message) => {
        const pieces = document.createElement("template");
        pieces.innerHTML = message.data;
        for (const piece of [...pieces.content.children]) place(piece, root);
      };
    } else if (!wanted() && source) {
      source.close();
      source = null;
      say("Paused");
    }
  };
  if (pause) pause.hidden = false;
  pause?.addEventListener("click", () => {
    pause.setAttribute("aria-pressed", String(pause.getAttribute("aria-pressed") !== "true"));
    pause.textContent = wanted() ? "Pause" : "Go on";
    update();
  });
  document.addEventListener("visibilitychange", update);
  update();
}
document.querySelectorAll("[data-stream]").forEach(listen);

// What is not ready yet is looked for again.
if (document.querySelector("[data-again]")) setTimeout(() => location.reload(), 2000);

// Copy: what is shown in part is copied whole.
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const before = button.textContent;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed here";
    }
    setTimeout(() => (button.textContent = before), 1500);
  });
}
