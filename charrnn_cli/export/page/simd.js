// The product of a matrix and a vector with four numbers at a time, where the browser can do that:
// a WebAssembly function of some forty instructions, which is put together here. Without it, or
// without SIMD, matrices.js does the same in JavaScript.

const ROOM = 1 << 18; // numbers in a vector at most

// Instructions, as the WebAssembly specification names them and numbers them.
const get = (local) => [0x20, local];
const set = (local) => [0x21, local];
const i32 = (value) => [0x41, value]; // a constant below 64
const [ADD, SUB, LESS, LOOP, REPEAT_IF, END] = [0x6a, 0x6b, 0x49, [0x03, 0x40], [0x0d, 0], 0x0b];
const [FLOAT_ADD, LOAD, MULTIPLY, SUM] = [0x92, [0xfd, 0, 2, 0], [0xfd, 0xe6, 1], [0xfd, 0xe4, 1]];
const ZEROS = [0xfd, 0x0c, ...Array(16).fill(0)];
const store = (offset) => [0x38, 2, offset];
const lane = (number) => [0xfd, 0x1f, number];

// Locals: five arguments, addresses in bytes, and the vectors of four numbers.
const [W, X, OUT, ROWS, BYTES, PLACE, ROW_B, ROW_C, ROW_D, SUM_A, SUM_B, SUM_C, SUM_D, FOUR] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];
const ADDRESS = 0x7f, VECTOR = 0x7b; // their types

/** out (ROWS) = the rows at W, of BYTES bytes each, times the vector at X; four rows at a time. */
const PRODUCT = [
  LOOP,
  get(W), get(BYTES), ADD, set(ROW_B),
  get(ROW_B), get(BYTES), ADD, set(ROW_C),
  get(ROW_C), get(BYTES), ADD, set(ROW_D),
  [SUM_A, SUM_B, SUM_C, SUM_D].map((sum) => [ZEROS, set(sum)]),
  i32(0), set(PLACE),
  LOOP,
  get(X), get(PLACE), ADD, LOAD, set(FOUR),
  [[W, SUM_A], [ROW_B, SUM_B], [ROW_C, SUM_C], [ROW_D, SUM_D]].map(([row, sum]) => [
    get(row), get(PLACE), ADD, LOAD, get(FOUR), MULTIPLY, get(sum), SUM, set(sum)]),
  get(PLACE), i32(16), ADD, set(PLACE),
  get(PLACE), get(BYTES), LESS, REPEAT_IF, END,
  [SUM_A, SUM_B, SUM_C, SUM_D].map((sum, row) => [
    get(OUT), get(sum), lane(0), get(sum), lane(1), FLOAT_ADD, get(sum), lane(2), FLOAT_ADD,
    get(sum), lane(3), FLOAT_ADD, store(4 * row)]),
  get(OUT), i32(16), ADD, set(OUT),
  get(ROW_D), get(BYTES), ADD, set(W),
  get(ROWS), i32(4), SUB, set(ROWS),
  i32(0), get(ROWS), LESS, REPEAT_IF, END,
];

/** The bytes of a module whose one function, `product`, works on the memory `memory`. */
function moduleOfProduct() {
  const sized = (parts) => {
    const bytes = parts.flat(Infinity);
    return [...unsigned(bytes.length), ...bytes];
  };
  const name = (text) => sized(Array.from(text, (letter) => letter.charCodeAt(0)));
  const section = (id, ...parts) => [id, ...sized(parts)];
  const locals = [2, [4, ADDRESS], [5, VECTOR]];
  return Uint8Array.from([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, // "\0asm", version 1
    section(1, 1, 0x60, sized(Array(5).fill(ADDRESS)), 0), // a type: five addresses, no result
    section(2, 1, name("page"), name("memory"), 2, 0, 1), // the import of the memory
    section(3, 1, 0), // one function, of type 0
    section(7, 1, name("product"), 0, 0), // the export of function 0
    section(10, 1, sized([locals, PRODUCT, END])), // its instructions
  ].flat(Infinity));
}

/** A number in the variable length that WebAssembly has (LEB128). */
function unsigned(value) {
  return value < 128 ? [value] : [(value % 128) + 128, ...unsigned(Math.floor(value / 128))];
}

let product = null; // the function of the module, null where there is none
let vectors = null; // room for the vector that goes in and for the one that comes out

/** A copy of a model's weights, where `product` finds them if there is one. */
function withSimd(numbers) {
  const start = 4 * numbers.length;
  try {
    const memory = new WebAssembly.Memory({ initial: Math.ceil((start + 8 * ROOM) / 65536) });
    const module = new WebAssembly.Module(moduleOfProduct());
    ({ product } = new WebAssembly.Instance(module, { page: { memory } }).exports);
    vectors = new Float32Array(memory.buffer, start, 2 * ROOM);
    const weights = new Float32Array(memory.buffer, 0, numbers.length);
    weights.set(numbers);
    return weights;
  } catch {
    product = vectors = null; // an older browser, or one that forbids WebAssembly
    return numbers;
  }
}

/** As `linear` without a bias, if the weight is in reach of `product` and fits; whether it was. */
function linearWithSimd(weight, inputs, steps, width, out) {
  const rows = weight.length / width;
  const fits = product && weight.buffer === vectors.buffer && width % 4 === 0 && rows >= 4;
  if (!fits || width > ROOM || rows > ROOM) return false;
  const even = rows - (rows % 4);
  const start = vectors.byteOffset;
  for (let step = 0; step < steps; step++) {
    vectors.set(inputs.subarray(step * width, (step + 1) * width));
    product(weight.byteOffset, start, start + 4 * ROOM, even, 4 * width);
    out.set(vectors.subarray(ROOM, ROOM + even), step * rows);
    for (let row = even; row < rows; row++) {
      out[step * rows + row] = oneSum(weight, row * width, inputs, step * width, width);
    }
  }
  return true;
}
