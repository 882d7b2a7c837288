"""All of verify.py, and what a decision says, the evidence and approvals on which it rests, and whether everything is here.

    python3 verify_all.py [FOLDER [DIGEST OF THE FIRST POLICY]]"""
import sys
from pathlib import Path
sys.path.insert(0, str(Path(__file__).parent))
sys.dont_write_bytecode = True  # nothing is added to what is verified
try: from verify import DECISION, IN_TOTO, ROOT, bundle, contents, demand, force, ledger, load, main, models, named, opened
except ModuleNotFoundError as missing: sys.exit(f"{missing}: pip install cryptography")
from verify import sha, subjects

APPROVAL, EVIDENCE = "urn:pilot-to-production:approval/v1", "urn:pilot-to-production:evidence/v1"
ACTIONS = dict(promoted="promote", released="release", rolledback="rollback")
STARTS = dict(promoted="promotion.started", released="release.started", rolledback="rollback.started")
SAME = "environment", "model", "digest", "version", "evidence", "to"  # of what an action and its start both say
TERMS = "project", "environment", "rules", "ticket"  # under which something is approved, and decided
FOLDERS = dict(evidence="evidence", bundle="bundles")
entries, approved, withdrawn = {}, {}, {}  # by number; by hash of its entry; by the same: what takes it back
failed = {}  # by digest of an evidence: its gates that did not pass
aside = set()  # hashes of entries that do not fit, and that a quorum of owners named in a policy: they count for nothing

def put_aside(chain):  # the entries themselves, and what they would have ended, where that was abandoned
    policies = [each["body"]["policy"]["text"] for each in chain if each["kind"] in ("opened", "policy.adopted")]
    gone = [each for each in chain if any(each["hash"] in text for text in policies)]
    abandoned = {each["body"]["started"] for each in chain if each["kind"] == "abandoned"}
    begun = abandoned & {each["body"].get("started") for each in gone}
    aside.update(each["hash"] for each in chain if each in gone or each["seq"] in begun)
    for by in named.values(): by[:] = [each for each in by if each["hash"] not in aside]
    return gone

def steps(path):  # what is ended was begun, as the same thing in the same place, and is ended once; only what was released serves again
    begun, released, chain = {}, ["none"], [load(line) for line in path.read_bytes().splitlines()]
    gone = put_aside(chain)
    for entry in chain:
        if entry["hash"] in aside: continue
        seq, kind, body = entry["seq"], entry["kind"], entry["body"]
        entries[seq], start = entry, begun.pop(body.get("started"), None)
        if kind.endswith(".started"): begun[seq] = entry
        if kind not in STARTS: continue
        demand(start and start["kind"] == STARTS[kind], f"entry {seq} ends what was not begun")
        changed = [key for key in SAME if key in body and body[key] != start["body"].get(key, body[key])]
        demand(not changed, f"entry {seq} ends what was not begun: another {changed}")
        demand("bundle" in body or kind == "rolledback", f"entry {seq} names no bundle")
        if kind == "released": released.append([body[key] for key in ("environment", "version", "digest")])
        to = body.get("to", "none")
        back = to if to == "none" else [body["environment"], to["version"], to["digest"]]
        demand(back in released, f"entry {seq} goes back to what was never released there")
    return f"{len(begun)} begun and not ended" + f", {len(gone)} set aside" * bool(gone)

def approvals(_):  # each is signed with a key that counted at its entry; to enter what somebody else signed approves nothing
    for entry in entries.values():
        if entry["kind"] == "approval.withdrawn": withdrawn[entry["body"]["approval"]] = entry
        if entry["kind"] != "approved": continue
        envelope = entry["body"]["envelope"]
        approval, (one,) = opened(envelope, force[entry["seq"]][1], APPROVAL), envelope["signatures"]
        if (one["keyid"], approval["predicate"]["approver"]) == (entry["key"], entry["by"]):
            approved[entry["hash"]] = entry, approval
    return f"{len(approved)} signed, {len(withdrawn)} withdrawn"

def nothing_beside(folder, *listed):  # what an index does not list is not verified, so it has no place here
    parts, signatures = [folder, *folder.rglob("*")], "evidence.json" in listed and folder / "signatures"
    demand(not any(part.is_symlink() for part in parts), "a symbolic link")
    there = {part.relative_to(folder).as_posix() for part in parts if not part.is_dir() and part.parent != signatures}
    demand(there == set(listed), "files missing or extra")

def evidence(folder):
    files, index, named_by = contents(folder, "evidence")
    nothing_beside(folder, "evidence.json", *files)
    keys = {key_id: key for entry in named_by for key_id, key in force[entry["seq"]][1].items()}
    statements = [load(files[path]) for path in sorted(each["path"] for each in index["files"] if each["mediaType"] == IN_TOTO)]
    model, signers = sha(files["model/manifest.sha256"]), sorted(folder.glob("signatures/*"))
    about = {subjects(each)[0] for each in statements} | {entry["body"]["digest"] for entry in named_by}
    demand(about == {model}, "another model")
    kinds = [each["predicateType"] for each in statements] + [EVIDENCE]  # the last says which files together are the evidence
    for signer in signers:
        lines = signer.read_bytes().splitlines()
        demand(len(lines) == len(kinds), "signatures of something else")
        *said, last = [opened(load(line), keys, kind) for line, kind in zip(lines, kinds)]
        demand(said == statements and subjects(last) == [model, folder.name], "signatures of something else")
        ids = {f"{one['keyid']}.jsonl" for line in lines for one in load(line)["signatures"]}
        demand(ids == {signer.name}, "signatures by another key than the one in the file's name")
    demand(signers, "nobody signed it")
    results = [each["predicate"] for each in statements if "result" in each["predicate"]]
    failed[folder.name] = [each["annotations"]["factory"]["gate"]["gate"] for each in results if each["result"] != "PASSED"]
    return f"{len(statements)} statements about model {model}, signed by {len(signers)}"

def decision(folder):  # says of itself what its entry says, and rests on what lies beside it and in the ledger
    files, index, named_by = contents(folder, "bundle")
    nothing_beside(folder, "bundle.json", *files)
    demand(len(named_by) == 1, "several entries name it")
    body, action, rests_on = named_by[0]["body"], ACTIONS[named_by[0]["kind"]], index["evidence"]
    start, model, lines = entries[body["started"]], sha(files["manifest.sha256"]), files["approvals.jsonl"].splitlines()
    statement = opened(load(files["decision.jsonl"]), force[start["seq"]][1], DECISION)
    said, begun = statement["predicate"], start["body"]
    own, hashes = said["factory"], begun.get("approvals", [])
    stated = said["policy"]["digest"]["sha256"], own["environment"], own["action"], said["verificationResult"]
    demand(stated == (sha(files["policy.yaml"]), body["environment"], action, "PASSED"), f"another decision: {stated[1:]}")
    named_here = own["project"] == entries[1]["body"]["project"] and statement["subject"][0]["name"].endswith(f".{body['model']}")
    demand(named_here, "a decision about another project or model")
    inputs = [each["digest"]["sha256"] for each in said["inputAttestations"]]
    demand(inputs == [rests_on, *map(sha, lines)], "another evidence or approval")
    demand(begun.get("evidence", rests_on) == rests_on, "another evidence than it was begun with")
    demand(said["timeVerified"] == start["at"], "of another time than it was begun")
    if action != "rollback":  # that goes to what was approved and measured once
        demand(all(each["verdict"] == "yes" for each in own["verdicts"]), "a verdict that is not yes")
        demand(all(own.get(key) == begun.get(key) for key in TERMS[2:]), "other rules, or another ticket, than it was begun with")
        demand(not failed.get(rests_on), f"gates of its evidence did not pass: {failed.get(rests_on)}")
    demand(len(lines) == len(hashes), "other approvals than it was begun with")
    by = set()  # one person counts once in a role
    for line, entry in zip(lines, hashes):
        given, approval = approved.get(entry, ({"body": {}}, {"subject": []}))
        same = given["body"].get("envelope") == load(line) and subjects(approval) == [model, rests_on]
        terms = approval["predicate"] if same else {"model": None}
        same = terms["model"] == body["model"] and all(terms.get(key) == own.get(key) for key in TERMS)
        demand(same, "an approval of something else")
        by.add((terms["approver"], terms["role"]))
        demand(start["at"] <= terms["notAfter"], "an approval that had ended")
        in_time = given["seq"] < start["seq"] <= withdrawn.get(entry, start)["seq"]
        demand(in_time, "an approval that was withdrawn before, or that came later")
    demand(len(by) == len(lines), "an approval that counts twice")
    seen = ROOT / "evidence" / rests_on
    demand(seen.is_dir(), "its evidence is not here")
    demand(sha((seen / "model/manifest.sha256").read_bytes()) == model, "its evidence is about another model")
    return f"{action} of model {model} to {body['environment']}, {len(lines)} approvals"

def complete(_):  # an export is of one model or of all: of each whose evidence is here, all that the ledger names
    all_named = [(FOLDERS[what], digest, models(entry["body"])) for (what, digest), by in named.items() for entry in by]
    parts = {(model, where, digest) for where, digest, about in all_named for model in about}
    here = {(model, where, digest) for model, where, digest in parts if (ROOT / where / digest).is_dir()}
    meant = {model for model, where, _ in here if where == "evidence"}
    demand(entries, "there is no ledger to go by")
    missing = {f"{where}/{digest}" for model, where, digest in parts - here if model in meant}
    demand(not missing and (meant or not parts), f"not here, though the ledger names it: {missing or 'everything'}")
    return f"all that it names about {len(meant)} of {len({model for model, *_ in parts})} models"

at, evidences, bundles = [ROOT / "ledger.jsonl"], sorted(ROOT.glob("evidence/*")), sorted(ROOT.glob("bundles/*"))
ledgers = (ledger, at), (steps, at), (approvals, at)
main(*ledgers, (evidence, evidences), (bundle, bundles), (decision, bundles), (complete, at))
