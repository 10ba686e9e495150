// What the pages can do beyond being read: every page is whole without this file.
"use strict";

const words = document.body.dataset;

function remember(name, value) {
  try {
    if (value === undefined) return localStorage.getItem(name);
    localStorage.setItem(name, value);
  } catch {
    // no storage: nothing is remembered
  }
  return null;
}

// Code is copied as it stands, without the line break at its end.
for (const block of document.querySelectorAll(".code > pre")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = words.copy;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(block.textContent.replace(/\n$/, ""));
    button.textContent = words.copied;
    setTimeout(() => { button.textContent = words.copy; }, 1600);
  });
  block.after(button);
}
if (!navigator.clipboard) for (const button of document.querySelectorAll(".copy")) button.remove();

// What scrolls sideways can be reached with the keyboard; what is hidden does not scroll yet.
function reach() {
  for (const box of document.querySelectorAll("pre, .table")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}
reach();
addEventListener("resize", reach);

// The language that was chosen in one place is shown in all places, and on the next page.
function showTab(name, unless) {
  for (const tab of document.querySelectorAll(".tabs > input")) {
    if (tab.dataset.tab === name && tab !== unless) tab.checked = true;
  }
  reach();
}
const chosen = remember("tab");
if (chosen) showTab(chosen, null);
for (const tab of document.querySelectorAll(".tabs > input")) {
  tab.addEventListener("change", () => {
    const before = tab.getBoundingClientRect().top;
    remember("tab", tab.dataset.tab);
    showTab(tab.dataset.tab, tab);
    window.scrollBy({ top: tab.getBoundingClientRect().top - before, behavior: "instant" });
  });
}

// The menu of languages closes when it is left.
const languages = document.querySelector(".languages");
addEventListener("click", (event) => { if (!languages.contains(event.target)) languages.open = false; });
addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !languages.open) return;
  languages.open = false;
  languages.querySelector("summary").focus();
});

// The table of models: filter and sort, as the server does for who has no script. The address says what is chosen.
const controls = document.querySelector(".controls");
if (controls) {
  const rows = [...document.querySelectorAll(".models tbody tr")];
  const count = controls.querySelector("output");
  const orders = { best: ["place", 1], price: ["output", 1], context: ["context", -1], newest: ["released", -1] };
  controls.words.disabled = false;
  controls.words.parentElement.hidden = false;
  controls.querySelector("button").hidden = true;
  const update = () => {
    const { words: text, can: able, sort } = Object.fromEntries(new FormData(controls));
    const wanted = text.trim().toLowerCase();
    const [key, down] = orders[sort];
    const sorted = [...rows].sort((a, b) => down * (Number(a.dataset[key]) - Number(b.dataset[key])));
    for (const row of sorted) {
      row.hidden = !row.dataset.words.includes(wanted) || !` ${row.dataset.able} `.includes(able ? ` ${able} ` : " ");
      row.parentElement.append(row);
    }
    count.textContent = count.dataset.text.replace("{n}", rows.filter((row) => !row.hidden).length);
  };
  controls.addEventListener("input", () => {
    update();
    const { can, sort } = Object.fromEntries(new FormData(controls));
    const asked = new URLSearchParams({ ...(sort !== "best" && { sort }), ...(can && { can }) });
    history.replaceState(null, "", location.pathname + (asked.size ? `?${asked}` : "") + location.hash);
  });
  controls.addEventListener("submit", (event) => event.preventDefault());
  update();
}
