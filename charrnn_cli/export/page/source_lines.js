// What the reader types, read as a source of the model, as sampling/source_lines.py reads a line.

const MOST_NAMED = 5; // unknown symbols in one note

/** The source in `cells`, the texts by number of column. Returns its `parts`, each a symbol with
 * its id (-1 for one that is left out) and whether it is a feature; and `notes` on what was changed. */
function readSource(cells) {
  const { source_columns: columns, feature_columns: featureColumns } = DATA.pairs;
  const features = featureColumns.flatMap((column) => cells[column].split(";").filter(Boolean));
  const characters = Array.from(columns.map((column) => cells[column]).join("\t"));
  const notes = [];
  if (characters.length > DATA.pairs.max_length) {
    characters.length = DATA.pairs.max_length;
    notes.push(`Read only ${DATA.pairs.max_length} characters, as in training.`);
  }
  const parts = [
    ...features.map((symbol) => ({ symbol, feature: true, known: sourceSymbols.idOfFeature.get(symbol) })),
    ...characters.map((symbol) => ({ symbol, feature: false, known: sourceSymbols.idOf(symbol) })),
  ];
  const { replacement } = DATA.pairs;
  for (const part of parts) part.id = part.known ?? (part.feature ? null : replacement) ?? -1;
  const unknown = parts.filter((part) => part.known === undefined);
  const replaced = unknown.filter((part) => part.id >= 0), left = unknown.filter((part) => part.id < 0);
  if (replaced.length) notes.push(`Unknown, read as U+FFFD: ${namesOf(replaced)}.`);
  if (left.length) notes.push(`Unknown, left out: ${namesOf(left)}.`);
  return { parts, notes };
}

/** Unknown symbols, each once, with the most similar known character. */
function namesOf(parts) {
  const names = new Set(parts.map(({ symbol, feature }) => {
    if (feature) return `the feature ${Array.from(symbol, sign).join("")}`;
    const like = nearest(symbol);
    return sign(symbol) + (like ? ` (it knows ${sign(like)})` : "");
  }));
  const named = Array.from(names).slice(0, MOST_NAMED).join(", ");
  return named + (names.size > MOST_NAMED ? ` and ${names.size - MOST_NAMED} more` : "");
}

/** A known character to suggest for an unknown one: the other case, or without its accent. */
function nearest(character) {
  const base = Array.from(character.normalize("NFKD"))[0];
  return [character, swapCase(character), base, swapCase(base)].find(
    (candidate) => Array.from(candidate).length === 1 && sourceSymbols.idOf(candidate) !== undefined,
  );
}

function swapCase(character) {
  const upper = character.toUpperCase();
  return upper === character ? character.toLowerCase() : upper;
}

/** The most characters of a translation of so many symbols, as checkpoints/pairs_info.py has it. */
function mostSymbols(count) {
  const { longest_source: source, longest_target: target } = DATA.pairs;
  return Math.ceil(target * Math.max(1, count / source)) + 5;
}
