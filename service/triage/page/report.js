for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const key = (row, place) => {
    const cell = row.cells[place];
    return cell.dataset.n === undefined ? cell.textContent.trim() : Number(cell.dataset.n);
  };
  table.querySelectorAll("thead th").forEach((head) => {
    const place = head.cellIndex;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const sorted = head.getAttribute("aria-sort");
      const isNumber = body.rows[0]?.cells[place].dataset.n !== undefined;
      const down = sorted ? sorted === "ascending" : isNumber;
      table.querySelectorAll("th[aria-sort]").forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].sort((one, two) => {
        const [a, b] = [key(one, place), key(two, place)];
        const order = typeof a === "number" ? a - b : a.localeCompare(b, document.documentElement.lang);
        return down ? -order : order;
      });
      body.append(...rows);
    });
  });
}

const unfold = () => {
  let place = document.getElementById(location.hash.slice(1));
  for (; place; place = place.parentElement) if (place.tagName === "DETAILS") place.open = true;
};
addEventListener("hashchange", unfold);
unfold();
