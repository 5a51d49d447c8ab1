// Charts fit themselves to their containers when the window says that its size has changed.
const redraw = (printing) => {
  document.documentElement.classList.toggle("printing", printing);
  window.dispatchEvent(new Event("resize"));
};
window.addEventListener("beforeprint", () => redraw(true));
window.addEventListener("afterprint", () => redraw(false));

// Draws the charts one after another, so that the page can be read meanwhile.
(async () => {
  const { config, charts } = JSON.parse(document.getElementById("charts").textContent);
  const options = {
    config,
    renderer: "svg",
    actions: false,
    defaultStyle: false,
    tooltip: { disableDefaultStyle: true, theme: "page" },
  };
  for (const place of document.querySelectorAll("[data-chart]")) {
    const { mode, spec } = charts[place.dataset.chart];
    try {
      const room = spec.params?.find((param) => param.name === "room");
      if (room) room.value = place.clientWidth;
      const { view } = await vegaEmbed(place, spec, { ...options, mode });
      if (room) window.addEventListener("resize", () => view.signal("room", place.clientWidth).resize().run());
      const choice = document.querySelector(`fieldset[data-for="${place.dataset.chart}"]`);
      if (choice) {
        const choose = () => view.signal("by", choice.querySelector("input:checked").value).run();
        choice.addEventListener("change", choose);
        choose(); // a browser may remember another choice
      }
    } catch (error) {
      place.textContent = "This chart could not be drawn; its numbers are in the table below.";
      console.error(error);
    }
  }
  document.documentElement.dataset.drawn = "all";
})();
