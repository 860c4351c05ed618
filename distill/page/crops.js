"use strict";
// A problem as its exam prints it: black and white pixels, drawn onto a canvas, so that the page loads no image.

const Crops = (() => {
  const { h } = Dom;

  function view(data, place) {
    const found = data.crops?.[place];
    if (!found) return null;
    const [width, height, start] = found;
    const problem = data.problems[place];
    const canvas = h("canvas", { class: "crop", width, height, role: "img", "aria-label": `The problem as page ${problem.page} of ${problem.source} prints it` });
    pixels(canvas, width, height, start);
    return h("figure", { class: "crop" }, canvas, h("figcaption", {}, `As ${problem.source} prints it, page ${problem.page}; the text above is what was read from it.`));
  }

  let bytes = null; // a promise of all crops' pixels

  async function pixels(canvas, width, height, start) {
    bytes ??= Data.inflate(document.getElementById("packed-crops").textContent).arrayBuffer();
    const all = new Uint8Array(await bytes);
    const image = new ImageData(width, height);
    const column = Math.ceil(height / 8);
    for (let x = 0; x < width; x++) {
      for (let y = 0; y < height; y++) {
        const black = (all[start + x * column + (y >> 3)] >> (7 - (y & 7))) & 1;
        image.data.set(black ? [0, 0, 0, 255] : [255, 255, 255, 255], 4 * (y * width + x));
      }
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
    canvas.dataset.drawn = "1";
  }

  return { view };
})();
