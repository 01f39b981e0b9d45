"use strict";

// cell writes a text for a table that is copied to a spreadsheet, which takes what
// begins like this for a formula unless it is a number, and what stands in
// quotation marks for the text within.
const cell = (s) => {
  if (/^[=+\-@|%\t\r\n\uff1d\uff0b\uff0d\uff20]/.test(s) && !/^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(s)) s = "'" + s;
  return /["\t\r\n]/.test(s) ? '"' + s.replaceAll('"', '""') + '"' : s;
};

(() => {
  const list = document.querySelector("#discrepancies .list");
  const tools = document.querySelector(".tools");
  const search = tools?.querySelector("input");
  const text = (e) => (e?.textContent ?? "").replace(/\s+/g, " ").trim();

  const find = () => {
    const wanted = search.value.toLowerCase();
    for (const row of list.tBodies[0].rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
  };

  // said divides what a side says into its value, the rest, and where it stands.
  const said = (td) => {
    if (td.querySelector("em")) return ["", "", ""];
    const value = td.querySelector("b"), places = [...td.querySelectorAll("i")];
    const rest = [...td.childNodes].filter((n) => n !== value && !places.includes(n)).map(text).filter((s) => s).join(" ");
    return [text(value), rest, places.map(text).join(", ")];
  };

  const table = () => {
    const lines = [["verdict", "device", "tag", "time", "number", "expected", "expected: quality", "expected: where", "observed", "observed: quality", "observed: where", "cause"]];
    for (const row of list.tBodies[0].rows) {
      if (getComputedStyle(row).display === "none") continue;
      const [verdict, who, when, expected, observed, cause] = row.cells;
      lines.push([text(verdict.lastChild), text(who.children[0]), text(who.children[1]), text(when.children[0]), text(when.children[1]).slice(1), ...said(expected), ...said(observed), cause ? text(cause) : ""]);
    }
    return lines.map((line) => line.map(cell).join("\t")).join("\n") + "\n";
  };

  if (tools) {
    tools.hidden = false;
    search.addEventListener("input", find);
    tools.querySelector("button").addEventListener("click", async () => {
      const copied = table(), said = tools.querySelector("output");
      try {
        await navigator.clipboard.writeText(copied);
        said.value = copied.split("\n").length - 2 + " lines copied, for a spreadsheet";
      } catch (err) {
        said.value = "The browser does not let the page copy: " + err;
      }
    });
  }

  const heat = document.querySelector(".heat");
  if (!heat) return;
  const tip = document.body.appendChild(document.createElement("div"));
  tip.className = "tip";
  tip.hidden = true;
  const { from, step, columns } = heat.dataset;
  const time = (ms) => new Date(ms).toISOString().replace("T", " ").replace(/:00\.000Z|\.000Z/, "");
  heat.addEventListener("pointermove", (e) => {
    const strip = e.target.closest("tbody svg");
    tip.hidden = !strip;
    if (!strip) return;
    const box = strip.getBoundingClientRect();
    const column = Math.min(columns - 1, Math.max(0, Math.floor((e.clientX - box.left) / box.width * columns)));
    const mark = e.target.closest("path")?.getAttribute("class");
    const verdict = mark ? text(document.querySelector(`[data-verdict=${mark}]`)).replace(/^\S+ /, "") : "no readings";
    const begin = Number(from) + column * step;
    tip.textContent = `${text(strip.closest("tr").cells[0])}: ${verdict}, ${time(begin)} – ${time(begin + Number(step))} UTC`;
    tip.style.left = Math.max(4, Math.min(e.clientX + 12, innerWidth - tip.offsetWidth - 4)) + "px";
    tip.style.top = e.clientY + (e.clientY + 60 > innerHeight ? -40 : 16) + "px";
  });
  heat.addEventListener("pointerleave", () => { tip.hidden = true; });
  if (!list) return;
  // A click shows the discrepancies of a device.
  heat.addEventListener("click", (e) => {
    const row = e.target.closest("tbody tr");
    if (!row) return;
    search.value = text(row.cells[0]);
    find();
    document.querySelector("#discrepancies").scrollIntoView({ behavior: "smooth" });
  });
})();
