// The vocabulary of a model of texts: ids and back, as text/vocabulary.py does it.

const points = DATA.vocabulary;
const idOfPoint = new Map(points.map((point, id) => [point, id]));

/** Ids of a text, -1 for each character that the model does not know. */
function encode(text) {
  return Array.from(text, (character) => {
    const id = idOfPoint.get(character.codePointAt(0));
    return id === undefined ? (DATA.replacement ?? -1) : id;
  });
}

const characterOf = (id) => String.fromCodePoint(points[id]);
