// The order of search results: a name that is typed in full, then headings, then text.  Guides come before the
// reference and before pages that mention everything.  A plain word, for example "timeout", is a subject first and the
// name of a member second.
var Scorer = {
  score: ([page, , , , score, , kind]) => {
    const query = new URLSearchParams(window.location.search).get("q") ?? "";
    if (kind === "object") return /^[a-z -]+$/.test(query) ? score - 55 : score;
    return /^(reference\/|pitfalls|features|changelog|design|openssl-versions)/.test(page) ? score - 6 : score;
  },
  objNameMatch: 60,
  objPartialMatch: 2,
  objPrio: { 0: 3, 1: 2, 2: 0 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
