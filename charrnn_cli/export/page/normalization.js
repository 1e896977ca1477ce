// Unicode's normal forms: a text as the model reads it, as text/normalization.py does it.

const FORM_NAMES = { NFC: "composed", NFD: "decomposed" };

/** A text in the normal form in which the model was trained, with each letter that it lacks in its
 * other form, where it has that one; and a `note` about it, empty if nothing was changed. */
function asRead(text) {
  const whole = DATA.normalize === "none" ? text : text.normalize(DATA.normalize);
  let form = whole === text ? null : DATA.normalize;
  const letters = Array.from(lettersOf(whole), (letter) => {
    if (isKnown(letter)) return letter;
    for (const other of Object.keys(FORM_NAMES)) {
      const changed = letter.normalize(other);
      if (changed === letter || !isKnown(changed)) continue;
      form ??= other;
      return changed;
    }
    return letter;
  });
  return { text: letters.join(""), note: form && `Read in Unicode's ${FORM_NAMES[form]} form (${form}), `
    + "the one that the model knows." };
}

const isKnown = (text) => Array.from(text).every((one) => idOfPoint.has(one.codePointAt(0)));

/** A text's letters, each with its marks. */
function* lettersOf(text) {
  let letter = "";
  for (const character of text) {
    if (letter && !joins(character)) {
      yield letter;
      letter = "";
    }
    letter += character;
  }
  if (letter) yield letter;
}

/** Whether a character belongs to the letter before it: a mark that normal forms put in order, or a
 * later part of a Korean syllable. */
function joins(character) {
  if (character < "\u0300") return false;
  if (/[\u1160-\u11ff\u0345]/u.test(character)) return true;
  const marked = `\u0345${character.normalize("NFD")}`; // no mark stays behind U+0345
  return marked.normalize("NFD") !== marked;
}
