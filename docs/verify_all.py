"""All of verify.py, and what a decision says, the evidence on which it rests, and whether everything is here.

    python3 verify_all.py [FOLDER [DIGEST OF THE FIRST POLICY]]"""
import base64, sys
from pathlib import Path
sys.path.insert(0, str(Path(__file__).parent))
sys.dont_write_bytecode = True  # nothing is added to what is verified
try: from verify import IN_TOTO, ROOT, bundle, contents, demand, force, ledger, load, main, models, named, opened, sha, subjects
except ModuleNotFoundError as missing: sys.exit(f"{missing}: pip install cryptography")

ENDS = dict(promoted="promotion.started", released="release.started", rolledback="rollback.started")
ACTIONS = dict(promoted="promote", released="release", rolledback="rollback")
approved = set()  # what was signed, of every approval in the ledger

def entries_of(path): return map(load, path.read_bytes().splitlines())

def steps(path):  # what is ended was begun, in the same way and place, and is ended once
    begun = {}
    for entry in entries_of(path):
        kind, body = entry["kind"], entry["body"]
        start = begun.pop(body.get("started"), None)
        demand(kind not in ENDS or start == (ENDS[kind], body["environment"]), f"entry {entry['seq']} ends what was not begun")
        if kind.endswith(".started"): begun[entry["seq"]] = kind, body["environment"]
    return f"{len(begun)} begun and not ended"

def approvals(path):  # each is signed with a key that counted at its entry
    for entry in entries_of(path):
        if entry["kind"] == "approved": approved.add(opened(entry["body"]["envelope"], force[entry["seq"]][1]))
    return f"{len(approved)} signed"

def nothing_beside(folder, files):  # what an index does not list is not verified, so it has no place here
    parts, signatures = [folder, *folder.rglob("*")], "evidence.json" in files and folder / "signatures"
    demand(not any(part.is_symlink() for part in parts), "a symbolic link")
    there = {part.relative_to(folder).as_posix() for part in parts if not part.is_dir() and part.parent != signatures}
    demand(there == set(files), "files missing or extra")

def evidence(folder):
    files, entries = contents(folder, "evidence.json"), named[folder.name]
    nothing_beside(folder, files)
    keys = {key_id: key for entry in entries for key_id, key in force[entry["seq"]][1].items()}
    listed = sorted(each["path"] for each in load(files["evidence.json"])["files"] if each["mediaType"] == IN_TOTO)
    statements, signers = [files[path] for path in listed], sorted(folder.glob("signatures/*"))
    model = sha(files["model/manifest.sha256"])
    about = {subjects(each)[0] for each in statements} | {each["body"]["digest"] for each in entries}
    demand(about == {model}, "another model")
    for signer in signers:
        said = [opened(load(line), keys) for line in signer.read_bytes().splitlines()]
        demand(said[:-1] == statements and subjects(said[-1]) == [model, folder.name], "signatures of something else")
    demand(signers, "nobody signed it")
    return f"{len(statements)} statements about model {model}, signed by {len(signers)}"

def decision(folder):  # says of itself what its entry says, and rests on what lies beside it and in the ledger
    files, (entry, *_) = contents(folder, "bundle.json"), named[folder.name]
    nothing_beside(folder, files)
    said = load(base64.b64decode(load(files["decision.jsonl"])["payload"]))["predicate"]
    own, action, where = said["factory"], ACTIONS[entry["kind"]], entry["body"]["environment"]
    stated = said["policy"]["digest"]["sha256"], own["environment"], own["action"], said["verificationResult"]
    demand(stated == (sha(files["policy.yaml"]), where, action, "PASSED"), f"another decision: {stated[1:]}")
    demand(action == "rollback" or all(each["verdict"] == "yes" for each in own["verdicts"]), "a verdict that is not yes")
    rests_on, lines = load(files["bundle.json"])["evidence"], files["approvals.jsonl"].splitlines()
    inputs = [each["digest"]["sha256"] for each in said["inputAttestations"]]
    demand(inputs == [rests_on, *map(sha, lines)], "another evidence or approval")
    about = [sha(files["manifest.sha256"]), rests_on]
    for payload in (base64.b64decode(load(line)["payload"]) for line in lines):
        demand(payload in approved and subjects(payload) == about, "an approval of something else")
    demand((ROOT / "evidence" / rests_on).is_dir(), "its evidence is not here")
    return f"{action} of model {about[0]} to {where}, {len(lines)} approvals"

def complete(_):  # an export is of one model or of all: of each whose evidence is here, all that the ledger names
    parts = {(model, name) for name in named for entry in named[name] for model in models(entry["body"])}
    meant = {model for model, name in parts if (ROOT / "evidence" / name).is_dir()}
    missing = {name for model, name in parts if model in meant and not any(ROOT.glob("*/" + name))}
    demand(not missing and (meant or not parts), f"not here, though the ledger names it: {missing or 'everything'}")
    return f"all that it names about {len(meant)} of {len({model for model, _ in parts})} models"

at, evidences, bundles = [ROOT / "ledger.jsonl"], sorted(ROOT.glob("evidence/*")), sorted(ROOT.glob("bundles/*"))
ledgers = (ledger, at), (steps, at), (approvals, at)
main(*ledgers, (evidence, evidences), (bundle, bundles), (decision, bundles), (complete, at))
