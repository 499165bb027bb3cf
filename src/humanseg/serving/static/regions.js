/**
 * Connected regions of a map of probabilities, as in `humanseg.effects.regions`.
 *
 * @typedef {import("./resize.js").Size} Size
 */

/** As in `humanseg.effects.regions`: where a pixel speaks for its region, and how far one reaches. */
const RATHER_SURE = 0.6;
const EXTENT = 0.5;

/**
 * @param {Uint8Array | Float32Array} values (height, width)
 * @param {Size} size
 * @param {number} lowest where a region begins
 * @returns {Generator<number[]>} positions of the pixels of each, connected along sides or corners
 */
export function* connectedRegions(values, { height, width }, lowest) {
  const waiting = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) waiting[i] = Number(values[i] >= lowest);
  for (let start = waiting.indexOf(1); start >= 0; start = waiting.indexOf(1, start)) {
    const region = [start];
    waiting[start] = 0;
    for (let next = 0; next < region.length; next++) {
      const [y, x] = [Math.floor(region[next] / width), region[next] % width];
      for (let row = Math.max(y - 1, 0); row <= Math.min(y + 1, height - 1); row++) {
        for (let column = Math.max(x - 1, 0); column <= Math.min(x + 1, width - 1); column++) {
          const neighbour = row * width + column;
          if (waiting[neighbour]) {
            waiting[neighbour] = 0;
            region.push(neighbour);
          }
        }
      }
    }
    yield region;
  }
}

/**
 * Takes out the regions in which a network is hardly anywhere sure of a person, as `drop_unsure`.
 *
 * @param {Float32Array} grid (height, width), 0 to 1; set to 0 in what is taken out
 * @param {Size} size
 * @param {number} threshold 0 to 1
 * @param {number} sureShare 0 to 1
 */
export function dropUnsure(grid, size, threshold, sureShare) {
  if (sureShare <= 0) return;
  // A grid is in float32: limits too, so that a value at one is on the same side as in Python.
  const [lowest, person] = [Math.fround(EXTENT * threshold), Math.fround(threshold)];
  const sure = Math.fround(threshold + RATHER_SURE * (1 - threshold));
  for (const region of connectedRegions(grid, size, lowest)) {
    let [people, sures] = [0, 0];
    for (const at of region) {
      people += Number(grid[at] >= person);
      sures += Number(grid[at] >= sure);
    }
    if (sures < sureShare * Math.max(people, 1)) for (const at of region) grid[at] = 0;
  }
}
