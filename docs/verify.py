"""Verifies ledger, bundles and model manifests that `factory evidence export` wrote, with neither factory nor a network:

    python3 verify.py [FOLDER [DIGEST OF THE FIRST POLICY]]

Needs Python 3.9 and the package cryptography. One line a part; status 1 if anything does not hold. `verify_all.py` goes on
with the evidence and whether all is here. What both leave to `factory verify` is in docs/auditor.md."""
import base64, hashlib, json, re, sys
from pathlib import Path
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ROOT, IN_TOTO, SPKI = Path((sys.argv + ["."])[1]), "application/vnd.in-toto+json", bytes.fromhex("302a300506032b6570032100")
BUNDLE = "manifest.sha256", "policy.yaml", "decision.jsonl", "approvals.jsonl"
force, named, approved = {0: None}, {}, set()  # by entry: policy in force and its keys; by digest: who names it

def sha(data): return hashlib.sha256(data).hexdigest()
def demand(holds, what):
    if not holds: raise ValueError(what)
def once(pairs):  # JSON in which a key stands twice would say two things
    return dict(pairs) if len(dict(pairs)) == len(pairs) else demand(False, "a key stands twice")
def load(data): return json.loads(data, object_pairs_hook=once)
def models(body): return [each["digest"] for each in (body.get("to"), body) if isinstance(each, dict)]  # first: what serves then
def subjects(payload): return [each["digest"]["sha256"] for each in load(payload)["subject"]]

def keys_of(policy):  # every ed25519 key that is not in a comment, by its id: SHA-256 of the SPKI DER
    found = re.findall(r"ed25519:([A-Za-z0-9+/]{43}=)", re.sub(r"(?m)(^|\s)#.*", "", policy))
    return {sha(SPKI + key): Ed25519PublicKey.from_public_bytes(key) for key in map(base64.b64decode, found)}
def signed(keys, key_id, data, signature):
    demand(key_id in keys, f"key {key_id[:12]} is not in the policy of that moment")
    keys[key_id].verify(base64.b64decode(signature, validate=True), data)
def opened(envelope, keys):  # DSSE: https://github.com/secure-systems-lab/dsse
    payload, (one,) = base64.b64decode(envelope["payload"], validate=True), envelope["signatures"]
    signed(keys, one["keyid"], f"DSSEv1 {len(IN_TOTO)} {IN_TOTO} {len(payload)} ".encode() + payload, one["sig"])
    return payload

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
            policy = (sha(body["policy"]["text"].encode()), keys_of(body["policy"]["text"]))
            owners = (force[seq] or policy)[1]  # of the policy before; of the first, its own
            said = [subjects(opened(envelope, owners)) for envelope in body["policy"]["signatures"]]
            demand(said and all(each == [policy[0]] for each in said), f"entry {seq}: who signed the policy")
            force[seq] = policy
        signed(force[seq][1], entry["key"], text, entry["sig"])
        if entry["kind"] == "approved": approved.add(opened(body["envelope"], force[seq][1]))
        for what in ("evidence", "bundle"): what in body and named.setdefault(body[what], []).append(entry)
    demand(force[1][0] in sys.argv[2:] or not sys.argv[2:], "the first policy is another one")
    return f"{seq} entries, head {seq}:{prev}, first policy {force[1][0]}"

def indexed(folder, name):  # an index that the ledger names by its digest, and exactly the files that it lists
    index, parts = (folder / name).read_bytes(), [folder, *folder.rglob("*")]
    demand(sha(index) == folder.name and folder.name in named, "another digest, or the ledger does not name it")
    demand(not any(part.is_symlink() for part in parts), "a symbolic link")
    beside = name == "evidence.json" and folder / "signatures"  # of evidence alone, and verify_all.py reads them
    there = {part.relative_to(folder).as_posix() for part in parts if not part.is_dir() and part.parent != beside}
    listed = load(index)["files"]
    demand(there == {name, *(each["path"] for each in listed)}, "files missing or extra")
    for each in listed: demand(sha((folder / each["path"]).read_bytes()) == each["sha256"], each["path"] + " changed")
    return load(index), named[folder.name]

def bundle(folder):
    index, (entry, *_) = indexed(folder, "bundle.json")
    manifest, policy, decision, approvals = ((folder / name).read_bytes() for name in BUNDLE)
    body, action = entry["body"], dict(promoted="promote", released="release", rolledback="rollback").get(entry["kind"])
    demand(force[body["started"]][0] == sha(policy), "its policy was not in force when it was begun")
    payload, model = opened(load(decision), force[body["started"]][1]), sha(manifest)
    said, rests_on = load(payload)["predicate"], [index["evidence"], *map(sha, approvals.splitlines())]
    demand(subjects(payload) == [model] == models(body)[:1], "the decision is about another model")
    own = said["factory"]
    stated = (said["policy"]["digest"]["sha256"], own["environment"], own["action"], said["verificationResult"])
    demand(stated == (sha(policy), body["environment"], action, "PASSED"), f"another decision: {stated[1:]}")
    demand(action == "rollback" or all(each["verdict"] == "yes" for each in own["verdicts"]), "a verdict that is not yes")
    demand([each["digest"]["sha256"] for each in said["inputAttestations"]] == rests_on, "another evidence or approval")
    return f"{action} of model {model} to {body['environment']}, {len(approvals.splitlines())} approvals"

def main(*parts):
    flaws = []
    for check, where in parts:
        for path in sorted(ROOT.glob(where)) or [ROOT / where][: where == "ledger.jsonl"]:
            try: print("ok  ", check.__name__, path.name, check(path))
            except (ValueError, LookupError, TypeError, AttributeError, OSError, InvalidSignature) as flaw:
                flaws += [print("FLAW", check.__name__, path.name, repr(flaw))]
    sys.exit(1 if flaws else 0)
if __name__ == "__main__": main((ledger, "ledger.jsonl"), (bundle, "bundles/*"))
