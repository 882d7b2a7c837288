"""Verifies ledger, bundles and model manifests that `factory evidence export` wrote, with neither factory nor a network:

    python3 verify.py [FOLDER [DIGEST OF THE FIRST POLICY]]

Needs Python 3.9 and the package cryptography. One line a part; status 1 if anything does not hold. `verify_all.py` goes on
with what a decision says, the evidence, and whether all is here. What both leave to `factory verify` is in docs/auditor.md."""
import base64, hashlib, json, re, sys
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ROOT, IN_TOTO, SPKI = Path((sys.argv + ["."])[1]), "application/vnd.in-toto+json", bytes.fromhex("302a300506032b6570032100")
POLICY, DECISION = "urn:pilot-to-production:policy/v1", "https://slsa.dev/verification_summary/v1"
force, named = {0: None}, {}  # by entry: digest and keys of the policy in force; by kind and digest: the entries that name it

def sha(data): return hashlib.sha256(data).hexdigest()
def demand(holds, what):
    if not holds: raise ValueError(what)
def once(pairs):  # JSON in which a key stands twice would say two things
    return dict(pairs) if len(dict(pairs)) == len(pairs) else demand(False, "a key stands twice")
def load(data): return json.loads(data, object_pairs_hook=once)
def subjects(statement): return [each["digest"]["sha256"] for each in statement["subject"]]
def models(body): return [each["digest"] for each in (body.get("to"), body) if isinstance(each, dict)]  # first: what serves then

def keys_of(policy):  # every ed25519 key that is not in a comment, by its id: SHA-256 of the SPKI DER
    found = re.findall(r"ed25519:([A-Za-z0-9+/]{43}=)", re.sub(r"(?m)(^|\s)#.*", "", policy))
    return {sha(SPKI + key): Ed25519PublicKey.from_public_bytes(key) for key in map(base64.b64decode, found)}
def signed(keys, key_id, data, signature):
    demand(key_id in keys, f"key {key_id[:12]} is not in the policy of that moment")
    keys[key_id].verify(base64.b64decode(signature, validate=True), data)
def opened(envelope, keys, kind):  # DSSE: https://github.com/secure-systems-lab/dsse; who signs one kind does not mean another
    payload, (one,) = base64.b64decode(envelope["payload"], validate=True), envelope["signatures"]
    signed(keys, one["keyid"], f"DSSEv1 {len(IN_TOTO)} {IN_TOTO} {len(payload)} ".encode() + payload, one["sig"])
    demand(load(payload)["predicateType"] == kind, "a statement of another kind")
    return load(payload)

def ledger(path):
    prev, lines = "0" * 64, path.read_bytes().split(b"\n")
    demand(lines.pop() == b"", "the last line is cut")
    for seq, line in enumerate(lines, 1):
        entry, text = load(line), line.rpartition(b',"sig":')[0]
        hashed = text + b',"sig":"%s"' % entry["sig"].encode()
        demand(line == hashed + b',"hash":"%s"}' % sha(hashed).encode(), f"entry {seq}: hash")
        demand((entry["v"], entry["seq"], entry["prev"]) == (1, seq, prev), f"entry {seq} does not follow")
        body, prev, force[seq] = entry["body"], entry["hash"], force[seq - 1]
        if entry["kind"] == ("policy.adopted" if seq > 1 else "opened"):
            before, force[seq] = force[seq], (sha(body["policy"]["text"].encode()), keys_of(body["policy"]["text"]))
            owners = (before or force[seq])[1]  # of the first, its own
            said = [subjects(opened(envelope, owners, POLICY)) for envelope in body["policy"]["signatures"]]
            demand(said and all(each == [force[seq][0]] for each in said), f"entry {seq}: who signed the policy")
        signed(force[seq][1], entry["key"], text, entry["sig"])
        for what in {"evidence", "bundle"} & body.keys(): named.setdefault((what, body[what]), []).append(entry)
    demand(sys.argv[2:] in ([], [force[1][0]], [f"sha256:{force[1][0]}"]), "the first policy is another one")
    return f"{seq} entries, head {seq}:{prev}, first policy {force[1][0]}"

def contents(folder, what):  # the files of an index that the ledger names by its digest, each as the index says
    index = (folder / f"{what}.json").read_bytes()
    demand(sha(index) == folder.name and (what, folder.name) in named, "another digest, or the ledger does not name it")
    files = {each["path"]: (folder / each["path"]).read_bytes() for each in load(index)["files"]}
    for each in load(index)["files"]: demand(sha(files[each["path"]]) == each["sha256"], each["path"] + " changed")
    return files, load(index), named[what, folder.name]

def bundle(folder):
    files, _, (entry, *_) = contents(folder, "bundle")
    policy, keys = force[entry["body"]["started"]]
    demand(policy == sha(files["policy.yaml"]), "its policy was not in force when it was begun")
    model, decision = sha(files["manifest.sha256"]), opened(load(files["decision.jsonl"]), keys, DECISION)
    demand(subjects(decision) == [model] == models(entry["body"])[:1], "the decision is about another model")
    return f"decision about model {model}"

def main(*parts):
    status = 0
    for check, paths in parts:
        for path in paths:
            try: print("ok  ", check.__name__, path.name, check(path))
            except Exception as flaw:
                status = 1
                print("FLAW", check.__name__, path.name, flaw if type(flaw) is ValueError else repr(flaw))
    sys.exit(status)
if __name__ == "__main__": main((ledger, [ROOT / "ledger.jsonl"]), (bundle, sorted(ROOT.glob("bundles/*"))))
