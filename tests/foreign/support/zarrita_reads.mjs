// What zarrita reads of arrays. Input: a line of JSON, the arrays' folders; output: one line of JSON each, {shape, dtype, and the raw
// file with the elements, row-major}, or {error}. Lies beside the node_modules that zarrita is in.
import { readFileSync, writeFileSync } from "node:fs";
import * as zarr from "zarrita";
import FileSystemStore from "@zarrita/storage/fs";

/** Of BoolArray and typed arrays alike, in the order that strides say. */
function rowMajor({ data, shape, stride }) {
  const bytes = data.BYTES_PER_ELEMENT ?? 1;
  const from = new Uint8Array(data.buffer, data.byteOffset, data.length * bytes);
  const to = new Uint8Array(from.length);
  const index = shape.map(() => 0);
  for (let at = 0; at < to.length; at += bytes) {
    const offset = index.reduce((sum, i, axis) => sum + i * stride[axis], 0) * bytes;
    to.set(from.subarray(offset, offset + bytes), at);
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis] === shape[axis]; --axis) index[axis] = 0;
  }
  return to;
}

for (const [number, folder] of JSON.parse(readFileSync(0, "utf8")).entries()) {
  try {
    const array = await zarr.open(zarr.root(new FileSystemStore(folder)), { kind: "array" });
    let chunk = await zarr.get(array);
    if (array.shape.length === 0)  // a number
      chunk = { data: (await array.getChunk([])).data, shape: [], stride: [] };
    const raw = `${folder}.raw`;
    writeFileSync(raw, rowMajor(chunk));
    console.log(JSON.stringify({ shape: array.shape, dtype: array.dtype, raw }));
  } catch (error) {
    console.log(JSON.stringify({ error: `${error}` }));
  }
}
