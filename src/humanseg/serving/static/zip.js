/** ZIP archives whose files are stored as they are: pictures are compressed already. */

const LIMIT = 0xffffffff; // bytes; more would need ZIP64

const TABLE = Uint32Array.from({ length: 256 }, (_, value) => {
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** @param {Uint8Array} bytes */
function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return ~crc >>> 0;
}

/**
 * Little-endian numbers, each with its length in bytes.
 *
 * @param {...[number, number]} fields
 */
function packed(...fields) {
  const bytes = [];
  for (const [length, value] of fields) {
    for (let i = 0; i < length; i++) bytes.push((value / 256 ** i) & 0xff);
  }
  return new Uint8Array(bytes);
}

/**
 * @param {{name: string, blob: Blob}[]} files
 * @returns {Promise<Blob>}
 */
export async function zip(files) {
  /** @type {BlobPart[]} */
  const parts = [];
  /** @type {BlobPart[]} */
  const directory = [];
  let [offset, length] = [0, 0];
  const now = new Date();
  const time = (now.getHours() << 11) | (now.getMinutes() << 5) | (now.getSeconds() >> 1);
  const date = ((now.getFullYear() - 1980) << 9) | ((now.getMonth() + 1) << 5) | now.getDate();
  for (const { name, blob } of files) {
    const encoded = new TextEncoder().encode(name);
    const crc = crc32(new Uint8Array(await blob.arrayBuffer()));
    // Version 2.0, names in UTF-8, stored, time, date, CRC, both sizes, length of the name, no extra.
    /** @type {[number, number][]} */
    const common = [
      [2, 20], [2, 0x0800], [2, 0], [2, time], [2, date], [4, crc], [4, blob.size], [4, blob.size],
      [2, encoded.length], [2, 0],
    ];
    const header = packed([4, 0x04034b50], ...common);
    // No comment, disk 0, no attributes, where the file begins.
    const entry = packed([4, 0x02014b50], [2, 20], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]);
    parts.push(header, encoded, blob);
    directory.push(entry, encoded);
    offset += header.length + encoded.length + blob.size;
    length += entry.length + encoded.length;
  }
  if (offset + length > LIMIT) throw new RangeError("More than 4 GB: download fewer pictures at once.");
  const count = files.length;
  const end = packed([4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, length], [4, offset], [2, 0]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}
