(() => {
  const SVG = "http:" + "//www.w3.org/2000/svg";
  const REACH = 36;  // pixels from a point at which it is still pointed at

  function attach(figure) {
    figure.dataset.live = "";
    const told = JSON.parse(figure.querySelector("script").textContent);
    const tip = figure.querySelector(".tip");
    const plot = figure.querySelector(".plot");
    let at = null;      // [panel, target, point] that is shown
    let held = null;    // label that a click on the legend holds

    const shown = () => [...figure.querySelectorAll(".picture")].find((p) => p.offsetParent !== null);
    const boxes = (picture) => told.boxes[picture.dataset.picture];

    // Pixels of the page in a unit of the picture, and where its origin is.
    function frame(picture) {
      const svg = picture.querySelector("svg"), box = svg.getBoundingClientRect();
      return { svg, box, scale: box.width / svg.viewBox.baseVal.width };
    }

    function spot(picture, [panel, target, point]) {
      const [left, top, right, bottom] = boxes(picture)[panel], one = told.panels[panel][target];
      return [left + one.x[point] * (right - left), bottom - one.y[point] * (bottom - top)];
    }

    function nearest(picture, event) {
      const { box, scale } = frame(picture);
      const x = (event.clientX - box.left) / scale, y = (event.clientY - box.top) / scale;
      let best = null, least = REACH / scale;
      boxes(picture).forEach(([left, top, right, bottom], panel) => {
        const pad = 8 / scale;
        if (x < left - pad || x > right + pad || y < top - pad || y > bottom + pad) return;
        told.panels[panel].forEach((one, target) => {
          if (held !== null && one.key !== null && one.key !== held) return;
          for (let k = 0; k < one.x.length; k++) {
            const across = left + one.x[k] * (right - left) - x;
            const far = Math.hypot(one.level ? across / 30 : across, bottom - one.y[k] * (bottom - top) - y);
            if (far <= least) { least = far; best = [panel, target, k]; }
          }
        });
      });
      return best;
    }

    function stress(key) {
      for (const one of figure.querySelectorAll("[data-key]")) {
        one.classList.toggle("pale", key !== null && one.dataset.key !== String(key));
      }
    }

    function show(found) {
      at = found;
      figure.querySelectorAll(".here").forEach((ring) => ring.remove());
      stress(found ? told.panels[found[0]][found[1]].key ?? held : held);
      tip.hidden = !found;
      if (!found) return;
      const picture = shown(), { svg, box, scale } = frame(picture);
      const [panel, target, point] = found, one = told.panels[panel][target];
      const [x, y] = spot(picture, found);
      const ring = document.createElementNS(SVG, "circle");
      for (const [name, value] of Object.entries({ class: one.key === null && one.name === "" ? "here on-map" : "here", cx: x, cy: y, r: 4.5 / scale })) ring.setAttribute(name, value);
      ring.style.stroke = one.colour;
      ring.style.strokeWidth = 2 / scale;
      svg.append(ring);
      tip.replaceChildren();
      for (const [k, line] of [...(one.name ? [one.name] : []), ...one.texts[point].split("\n")].entries()) {
        const row = document.createElement(k || !one.name ? "span" : "b");
        row.textContent = line;
        tip.append(row);
      }
      // Beside the point, on the side with room.
      const around = plot.getBoundingClientRect(), own = tip.getBoundingClientRect();
      const px = box.left - around.left + x * scale, py = box.top - around.top + y * scale;
      const left = px + 12 + own.width > around.width ? px - 12 - own.width : px + 12;
      tip.style.left = `${Math.max(0, Math.min(left, around.width - own.width))}px`;
      tip.style.top = `${Math.max(0, py - own.height - 10)}px`;
    }

    // With the keyboard: left and right along a line, up and down from one to the next.
    function step(key) {
      const all = told.panels.flatMap((some, panel) => some.map((_, target) => [panel, target]));
      if (!all.length) return false;
      let [panel, target, point] = at ?? [...all[0], -1];
      const k = all.findIndex(([p, t]) => p === panel && t === target);
      if (key === "ArrowUp" || key === "ArrowDown") {
        if (at) [panel, target] = all[(k + (key === "ArrowDown" ? 1 : all.length - 1)) % all.length];
        point = Math.max(point, 0);
      } else if (key === "ArrowRight") point++;
      else if (key === "ArrowLeft") point--;
      else if (key === "Home") point = 0;
      else if (key === "End") point = Infinity;
      else if (key === "Escape") { held = null; show(null); return true; }
      else return false;
      const last = told.panels[panel][target].x.length - 1;
      show([panel, target, Math.max(0, Math.min(point, last))]);
      return true;
    }

    plot.addEventListener("pointermove", (event) => {
      const entry = event.target.closest(".k[data-key]"), picture = shown();
      if (entry) { show(null); stress(Number(entry.dataset.key)); }
      else if (picture) show(nearest(picture, event));
    });
    plot.addEventListener("pointerleave", () => show(null));
    plot.addEventListener("blur", () => show(null));
    plot.addEventListener("click", (event) => {
      const entry = event.target.closest(".k[data-key]");
      const key = entry ? Number(entry.dataset.key) : null;
      held = key === held ? null : key;
      stress(held);
    });
    plot.addEventListener("keydown", (event) => { if (step(event.key)) event.preventDefault(); });
  }

  document.querySelectorAll("figure[data-figure]:not([data-live])").forEach(attach);
})();
