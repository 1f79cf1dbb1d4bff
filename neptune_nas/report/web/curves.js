"use strict";
(async () => {
  const figures = JSON.parse(await page.unpack("data"));
  await page.drawAll((node) => page.draw(node, figures[node.dataset.figure]));
})();
