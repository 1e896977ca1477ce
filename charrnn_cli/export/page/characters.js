// How characters are shown, also those that cannot be seen.

const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/u;
const JOINERS = "\u200c\u200d";

/** Whether a character is shown as an escape: what controls a display, or has no picture. */
function isUnseen(character) {
  return UNSEEN.test(character) && !"\n\t".includes(character) && !JOINERS.includes(character);
}

/** A character's escape, such as \x1b, as Python writes it. */
function escaped(character) {
  const point = character.codePointAt(0);
  const digits = point < 0x100 ? 2 : point < 0x10000 ? 4 : 8;
  const letter = { 2: "x", 4: "u", 8: "U" }[digits];
  return `\\${letter}${point.toString(16).padStart(digits, "0")}`;
}

const NAMES = { "\n": "↵", "\t": "⇥", " ": "␣", "\u00a0": "␣ no break", "\u200c": "joiner (not)",
  "\u200d": "joiner" };

/** One character as a sign that can be seen alone. */
function sign(character) {
  if (character in NAMES) return NAMES[character];
  if (isUnseen(character)) return escaped(character);
  if (/\p{M}/u.test(character)) return `◌${character}`;
  return /\p{Zs}/u.test(character) ? `␣ ${escaped(character)}` : character;
}

/** The parts of a text that are seen as one character each. */
function clusters(text) {
  if (!Intl.Segmenter) return Array.from(text);
  return Array.from(new Intl.Segmenter().segment(text), ({ segment }) => segment);
}

/** An element of a class that holds a text and no markup. */
function element(name, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

/** A shape of a drawing (SVG), with its attributes. */
function shape(name, attributes, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

/** Add a text to an element; what cannot be seen becomes an escape. */
function addText(parent, text, className = "") {
  let run = "";
  const flush = () => {
    if (run) parent.append(className ? element("span", className, run) : run);
    run = "";
  };
  for (const character of text) {
    if (isUnseen(character)) {
      flush();
      parent.append(element("span", "escaped", escaped(character)));
    } else run += character;
  }
  flush();
}
