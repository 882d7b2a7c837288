/** What README.txt of an export says: what lies where, and how to check it without factory. Pure. */
export function exportReadme(about: {
  project: string;
  model: string;
  /** Which candidate, or all. */
  scope: string;
  at: Date;
  factory: string;
  head: string;
  firstPolicy: string;
  evidence: number;
  bundles: number;
}): string {
  return `Evidence of ${about.project} (model ${about.model}): ${about.scope}
Written on ${about.at.toISOString()} by factory ${about.factory}.

  ledger.jsonl            the whole chain of signed entries, one a line
  evidence/<digest>/      what was tested, ${about.evidence} in all; signatures/ holds who signed it
  bundles/<digest>/       one decision each, ${about.bundles} in all: decision, approvals, policy, model manifest
  verify.py               checks ledger, decisions and model manifests, with no network and without factory
  verify_all.py           does that, and checks evidence, approvals and whether all is here

To check it (Python 3.9 or later; the only package needed is cryptography):

  python3 verify_all.py . ${about.firstPolicy}

It prints one line for each part and ends with status 1 if anything does not hold. Read both first: they are short.
By hand: the name of each folder is the SHA-256 of its evidence.json or bundle.json, and the SHA-256 of
manifest.sha256 is the model digest (sha256sum -c checks a downloaded model against it).

What a check of files alone cannot tell is whether they are the ones of this organisation: anyone can make
keys, a policy and a chain of their own. So compare two things with what you were told by another way, such
as a letter, a ticket, or the tags of the registered model (factory.policy and factory.ledger.head):

  digest of the first policy   ${about.firstPolicy}
  head of the ledger           ${about.head}
`;
}
