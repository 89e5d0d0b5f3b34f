// Sort a table by a click on (or Enter in) a column's title; search it by words. Without this script it is a plain table.
const number = (text) => {
  const match = text.replace(/[,+$]/g, "").replace("−", "-").match(/^(?:< ?)?-?\d+(\.\d+)?/);
  return match ? parseFloat(match[0].replace("<", "")) : NaN;
};
const compare = (a, b) => {
  const [x, y] = [number(a), number(b)];
  if (!isNaN(x) && !isNaN(y)) return x - y;
  if (isNaN(x) !== isNaN(y)) return isNaN(x) ? 1 : -1;
  return a.localeCompare(b);
};
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].map((row) => [row.cells[column].textContent.trim(), row]);
      // Empty cells are last in both directions: nobody sorts a table to see what is missing.
      rows.sort(([a], [b]) => !a - !b || (down ? compare(b, a) : compare(a, b)));
      body.append(...rows.map(([, row]) => row));
    });
  });
}
for (const input of document.querySelectorAll("input[data-table]")) {
  const body = document.getElementById(input.dataset.table).tBodies[0];
  const output = input.closest(".search").querySelector("output");
  const search = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let matches = 0;
    for (const row of body.rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      matches += !row.hidden;
    }
    output.textContent = `${matches} of ${body.rows.length} rows`;
  };
  input.addEventListener("input", search);
  search();
}
