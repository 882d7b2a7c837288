"""All of verify.py, and the evidence on which the bundles rest: who signed it, and whether everything is here.

    python3 verify_all.py [FOLDER [DIGEST OF THE FIRST POLICY]]"""
import base64, sys
from pathlib import Path
sys.path.insert(0, str(Path(__file__).parent))
sys.dont_write_bytecode = True  # nothing is added to what is verified
from verify import IN_TOTO, ROOT, approved, bundle, demand, force, indexed, ledger, load, main, models, named, opened, sha, subjects

ENDS = dict(promoted="promotion.started", released="release.started", rolledback="rollback.started")

def steps(path):  # what is ended was begun, in the same way and place, and is ended once
    begun = {}
    for entry in map(load, path.read_bytes().splitlines()):
        kind, body = entry["kind"], entry["body"]
        start = begun.pop(body.get("started"), None)
        demand(kind not in ENDS or start == (ENDS[kind], body["environment"]), f"entry {entry['seq']} ends what was not begun")
        if kind.endswith(".started"): begun[entry["seq"]] = kind, body["environment"]
    return f"{len(begun)} begun and not ended"

def evidence(folder):
    index, entries = indexed(folder, "evidence.json")
    keys = {key_id: key for entry in entries for key_id, key in force[entry["seq"]][1].items()}
    paths = sorted(each["path"] for each in index["files"] if each["mediaType"] == IN_TOTO)
    statements, signers = [(folder / path).read_bytes() for path in paths], sorted(folder.glob("signatures/*"))
    model = sha((folder / "model/manifest.sha256").read_bytes())
    about = {subjects(each)[0] for each in statements} | {each["body"]["digest"] for each in entries}
    demand(about == {model}, "another model")
    for signer in signers:
        said = [opened(load(line), keys) for line in signer.read_bytes().splitlines()]
        demand(said[:-1] == statements and subjects(said[-1]) == [model, folder.name], "signatures of something else")
    demand(signers, "nobody signed it")
    return f"{len(statements)} statements about model {model}, signed by {len(signers)}"

def complete(_):  # an export is of one model or of all: of each whose evidence is here, all that the ledger names
    parts = {(model, name) for name in named for entry in named[name] for model in models(entry["body"])}
    meant = {model for model, name in parts if (ROOT / "evidence" / name).is_dir()}
    missing = {name for model, name in parts if model in meant and not any(ROOT.glob("*/" + name))}
    demand(not missing and (meant or not parts), f"not here, though the ledger names it: {missing or 'everything'}")
    return f"all that it names about {len(meant)} of {len({model for model, _ in parts})} models"

def approvals(folder):
    model, lines = sha((folder / "manifest.sha256").read_bytes()), (folder / "approvals.jsonl").read_bytes().splitlines()
    evidence = load((folder / "bundle.json").read_bytes())["evidence"]
    for payload in (base64.b64decode(load(each)["payload"]) for each in lines):
        demand(payload in approved and subjects(payload) == [model, evidence], "an approval of something else")
    demand((ROOT / "evidence" / evidence).is_dir(), "its evidence is not here")
    return f"{len(lines)} that the ledger holds"

main((ledger, "ledger.jsonl"), (steps, "ledger.jsonl"), (evidence, "evidence/*"), (bundle, "bundles/*"), (approvals, "bundles/*"), (complete, "ledger.jsonl"))
