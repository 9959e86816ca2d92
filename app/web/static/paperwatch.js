// Paperwatch's pages work without this file; it makes them quicker. Nothing here talks to another host.
"use strict";

// The reader's time zone, where they have not chosen one.
for (const zone of document.querySelectorAll("select[data-guess]")) {
  const guess = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if ([...zone.options].some((option) => option.value === guess)) zone.value = guess;
}

// The dial: a slider beside the number, each moving the other.
const slide = () => document.querySelectorAll(".dial input[type=number]").forEach((number) => {
  if (number.previousElementSibling) return;
  const slider = document.createElement("input");
  slider.type = "range";
  slider.min = "1";
  slider.max = String(Math.max(30, Number(number.value) || 0));
  slider.value = number.value;
  slider.setAttribute("aria-label", "About how many a day");
  slider.addEventListener("input", () => {
    number.value = slider.value;
    number.dispatchEvent(new Event("input", { bubbles: true }));
  });
  number.addEventListener("input", () => { slider.value = number.value; });
  number.before(slider);
});
slide();

// The preview and the chips follow what is typed. An answer that comes after a newer question is dropped.
const form = document.querySelector("form[data-preview]");
const panel = document.getElementById("preview");
if (form && panel) {
  const fields = "statement terms likes authors categories mutes per_day".split(" ");
  let timer = 0;
  let asked = null;
  const body = () => {
    const found = new URLSearchParams({ fragment: "1" });
    for (const name of fields) found.set(name, form.elements[name].value);
    for (const box of form.querySelectorAll("[name=own]:checked")) found.append("own", box.value);
    return found;
  };
  let shown = body().toString();
  const ask = async (address, wanted, ids) => {
    if (asked) asked.abort();
    asked = new AbortController();
    panel.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(address, { method: "POST", body: wanted, signal: asked.signal });
      if (!answer.ok && answer.status !== 422) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const id of ids) document.getElementById(id).replaceChildren(...page.getElementById(id).childNodes);
      shown = body().toString();
      for (const hint of document.querySelectorAll(".try")) hint.hidden = panel.querySelector("article") !== null;
      panel.removeAttribute("aria-busy");
      return true;
    } catch (error) {
      if (error.name !== "AbortError") panel.removeAttribute("aria-busy");
      return false;
    }
  };
  const refresh = () => {
    const wanted = body();
    if (wanted.toString() !== shown) ask(form.dataset.preview, wanted, ["chips", "preview"]);
  };
  form.addEventListener("input", (event) => {
    if (![...fields, "own"].includes(event.target.name)) return;
    clearTimeout(timer);
    timer = setTimeout(refresh, 250);
  });
  form.addEventListener("click", async (event) => {
    const button = event.target.closest("button[name=edit], button[name=preview]");
    if (!button || button.formEnctype === "multipart/form-data") return;
    event.preventDefault();
    clearTimeout(timer);
    if (button.name === "preview") {
      refresh();
      panel.scrollIntoView({ block: "nearest" });
      return;
    }
    const wanted = new URLSearchParams(new FormData(form));
    wanted.set("edit", button.value);
    const label = button.getAttribute("aria-label");
    // The chip is gone or moved afterwards; the focus goes to what is wrong, or stays beside where it was.
    if (!(await ask(button.formAction, wanted, ["interests", "preview"]))) return;
    slide();
    const again = [...form.querySelectorAll("button")].find((other) => label && other.getAttribute("aria-label") === label);
    const wrong = form.querySelector("#interests [aria-invalid=true], #interests [name=own]");
    (wrong || again || form.elements.statement).focus();
  });
}

// Weights: what the sliders would change is shown as they move; nothing is saved by that.
const weights = document.querySelector("form[data-what-if]");
if (weights) {
  let timer = 0;
  let asked = null;
  weights.addEventListener("input", (event) => {
    const said = event.target.parentElement.querySelector("output");
    const weight = Number(event.target.value);
    if (said) said.textContent = weight ? (weight > 0 ? "+" : "") + weight : "as learned";
    clearTimeout(timer);
    timer = setTimeout(async () => {
      if (asked) asked.abort();
      asked = new AbortController();
      const wanted = new URLSearchParams(new FormData(weights));
      wanted.set("fragment", "1");
      const answer = await fetch(weights.action, { method: "POST", body: wanted, signal: asked.signal }).catch(() => null);
      if (answer && answer.ok) document.getElementById("what-if").innerHTML = await answer.text();
    }, 200);
  });
}

// Feed addresses are for copying.
for (const box of document.querySelectorAll(".copy")) {
  if (!navigator.clipboard) break;
  const address = box.querySelector("input");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "second";
  button.textContent = "copy";
  button.setAttribute("aria-label", "Copy " + address.dataset.copy);
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(address.value);
    button.textContent = "copied";
    setTimeout(() => { button.textContent = "copy"; }, 1500);
  });
  address.addEventListener("focus", () => address.select());
  address.after(button);
}

// Rating without leaving the page.
for (const rating of document.querySelectorAll("form.rate")) {
  rating.addEventListener("submit", async (event) => {
    event.preventDefault();
    const pressed = event.submitter;
    const said = new URLSearchParams(new FormData(rating));
    said.set("opinion", pressed.value);
    rating.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(rating.action, { method: "POST", body: said, redirect: "manual", keepalive: true });
      if (answer.type !== "opaqueredirect") throw new Error(String(answer.status));
      for (const button of rating.querySelectorAll("button")) {
        const on = button === pressed && said.get("opinion") !== "clear";
        button.setAttribute("aria-pressed", String(on));
        button.value = on ? "clear" : button.dataset.opinion;
        if (button.dataset.opinion === "save") button.firstElementChild.textContent = on ? "★" : "☆";
      }
    } catch {
      const opinion = document.createElement("input");
      Object.assign(opinion, { type: "hidden", name: "opinion", value: pressed.value });
      rating.append(opinion);
      rating.submit();
    } finally {
      rating.removeAttribute("aria-busy");
    }
  });
}

// j and k move between papers; s, l and d save, like and dislike the one in view.
const papers = [...document.querySelectorAll(".mine article.paper")];
if (papers.length) {
  let at = -1;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
    const step = { j: 1, k: -1 }[event.key];
    if (step) {
      at = Math.min(Math.max(at + step, 0), papers.length - 1);
      const link = papers[at].querySelector("a");
      link.focus({ preventScroll: true });
      papers[at].scrollIntoView({ block: "nearest" });
      return;
    }
    const opinion = { s: "save", l: "like", d: "dislike" }[event.key];
    const paper = opinion && document.activeElement.closest("article.paper");
    if (paper) paper.querySelector(`button[data-opinion=${opinion}]`)?.click();
  });
}
