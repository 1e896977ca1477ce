// The worker's frame: it holds the model, and answers the page's requests without stopping it.

const SLICE = 25; // milliseconds of work between two looks at the requests
const DECODERS = {}; // by architecture; the script of each family adds its own
const ANSWERS = {}; // what answers each kind of request

let config;
let open; // makes a decoder

ANSWERS.load = (data) => {
  config = data.config;
  const numbers = withSimd(fromHalfFloats(new Uint16Array(data.weights)));
  const weights = {};
  let start = 0;
  for (const [name, count] of data.tensors) {
    weights[name] = numbers.subarray(start, start += count);
  }
  open = () => new DECODERS[config.architecture](config, weights);
  return {};
};

onmessage = async ({ data: { request, kind, data } }) => {
  try {
    postMessage({ request, answer: await ANSWERS[kind](data) });
  } catch (error) {
    postMessage({ request, error: String(error) });
  }
};
