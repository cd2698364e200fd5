// The order of search results: a name that is typed in full, then headings, then text.  Guides come before the
// reference and before pages that mention everything.
var Scorer = {
  score: ([name, , , , score, , kind]) =>
    kind === "object" || !/^(reference\/|pitfalls|features|changelog|design|openssl-versions)/.test(name)
      ? score
      : score - 6,
  objNameMatch: 60,
  objPartialMatch: 2,
  objPrio: { 0: 3, 1: 2, 2: 0 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
