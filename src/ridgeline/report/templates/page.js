(() => {
  const swaps = JSON.parse(document.getElementById("swaps").textContent);
  const escaped = Object.keys(swaps).map((c) => c.replace(/[(]/g, "\\("));
  const codes = new RegExp(escaped.join("|"), "g");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = matchMedia("(max-width: 640px)");
  const medium = matchMedia("(max-width: 900px)");
  const config = { responsive: true, displaylogo: false,
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };

  // Panels side by side are too small on a narrow page: one above the other there.
  function stack(layout) {
    const { panels: count, lift } = layout.meta, { t, b } = layout.margin;
    const own = layout.height - t - b;
    const size = count > 1 ? 260 : 0.8 * own, gap = 66 + lift;
    const inner = count * size + (count - 1) * gap;
    for (let i = 0; i < count; i++) {
      const n = i ? String(i + 1) : "", top = 1 - i * (size + gap) / inner;
      layout["xaxis" + n].domain = [0, 1];
      layout["yaxis" + n].domain = [Math.max(0, top - size / inner), top];
    }
    layout.height = inner + t + b;
    layout.legend.y = 1 + (12 + lift) / inner;
    layout.margin = { ...layout.margin, l: 44, r: 8 };
    layout.font.size = 12;
  }

  function draw(figure) {
    let text = figure.querySelector("script").textContent;
    if (dark.matches) text = text.replace(codes, (code) => swaps[code]);
    const spec = JSON.parse(text);
    if (spec.layout.meta.columns > 2 && medium.matches && !narrow.matches) stack(spec.layout);
    if (narrow.matches) {
      stack(spec.layout);
      for (const trace of spec.data) {
        if (trace.colorbar) flatten(trace, spec.layout);
        if (trace.textfont) trace.textfont.size = Math.min(trace.textfont.size, 10);
        if (trace.mode === "text" && trace.meta?.across > 7) trace.visible = false;  // numbers wider than their cells
      }
    }
    figure.classList.add("live");  // before drawing: a hidden plot has no width
    try {
      const plot = figure.querySelector(".plot");
      Plotly.purge(plot);  // a change of shape would leave the old scale of colours behind
      Plotly.newPlot(plot, spec.data, spec.layout, config);
    } catch (error) {
      figure.classList.remove("live");
      throw error;
    }
  }

  // Under the axis, whose names may stand upright, in place of beside the panel.
  function flatten({ colorbar: bar, meta }, { height, margin }) {
    const below = meta?.across > 7 ? 118 : 72;
    const y = -below / (height - margin.t - margin.b);
    Object.assign(bar, { orientation: "h", y, yanchor: "top", x: 0.5, thickness: 10 });
    bar.title.side = "bottom";
  }

  // A plot takes a while: each is made when its figure comes near. Until then its picture is there.
  const near = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting && !target.classList.contains("live")) draw(target);
    }
  }, { rootMargin: "500px 0px" });
  for (const figure of document.querySelectorAll("figure[data-figure]")) near.observe(figure);
  const again = () => document.querySelectorAll("figure.live").forEach(draw);
  for (const query of [dark, narrow, medium]) query.addEventListener("change", again);
})();
