"""Runs recorded verdicts of KubeVirt through `rtvmd check` and compares.

usage: verdicts.py RTVMD CASES.jsonl DIFFERENCES.txt

Two TAP lines: at least 98 % of the verdicts agree (differences for a stated reason do not count), and every difference
has a stated reason. DIFFERENCES.txt holds the reasons by what is said, not by case, so that they hold for cases nobody
has seen yet: a difference is excused only when each message that differs matches a row of the right kind.
"""
import collections
import fnmatch
import json
import subprocess
import sys

BATCH = 200  # below the limit of documents in one file


def read_reasons(path):
    reasons = collections.defaultdict(list)
    with open(path, encoding="utf-8") as f:
        for line in f:
            if line.strip() and not line.startswith("#"):
                kind, pattern, reason = line.rstrip("\n").split("\t")
                reasons[kind].append((pattern, reason))
    return reasons


def check(rtvmd, manifests):
    text = "\n".join(json.dumps(m) for m in manifests)
    run = subprocess.run([rtvmd, "check", "-f", "-", "-o", "json"], input=text, capture_output=True, text=True)
    answer = json.loads(run.stdout)
    statuses = answer["items"] if answer["kind"] == "List" else [answer]
    assert len(statuses) == len(manifests), run.stderr
    failed = any(s["status"] == "Failure" for s in statuses)
    assert run.returncode == (2 if failed else 0), f"exit status {run.returncode}"
    return statuses


def excuse(rows, messages):
    """The reasons that cover all the messages, or None."""
    found = []
    for message in messages:
        match = next((reason for pattern, reason in rows if fnmatch.fnmatchcase(message, pattern)), None)
        if not match:
            return None
        if match not in found:
            found.append(match)
    return "; ".join(found) or None


def compare(case, status, reasons):
    """("same" | "words" | "verdict", excuse or None)"""
    accepted, theirs_accepted = status["status"] == "Success", case["verdict"] == "accepted"
    ours = status["details"].get("causes", [])
    theirs = case.get("causes", [])
    if accepted and not theirs_accepted:
        warned = excuse(reasons["kinder-with-warning"], status.get("warnings", []))
        return "verdict", warned or excuse(reasons["kinder"], [c["message"] for c in theirs])
    if theirs_accepted and not accepted:
        return "verdict", excuse(reasons["stricter"], [c["message"] for c in ours])
    if case["verdict"] != "rejected" or ours == theirs:
        return "same", None
    only_ours = [c["message"] for c in ours if c not in theirs]
    only_theirs = [c["message"] for c in theirs if c not in ours]
    same = sorted(only_ours) == sorted(only_theirs)  # then it is the order or a field that differs
    return "words", excuse(reasons["words"], only_ours + only_theirs) or ("the order differs" if same else None)


def main():
    rtvmd, cases_path, reasons_path = sys.argv[1:4]
    reasons = read_reasons(reasons_path)
    with open(cases_path, encoding="utf-8") as f:
        cases = [json.loads(line) for line in f]
    statuses = []
    for i in range(0, len(cases), BATCH):
        statuses += check(rtvmd, [c["manifest"] for c in cases[i : i + BATCH]])
    tally, unexplained = collections.Counter(), 0
    for case, status in zip(cases, statuses):
        what, why = compare(case, status, reasons)
        tally[what, why is not None] += 1
        if what == "same":
            continue
        unexplained += why is None
        said = "" if what == "words" else f"KubeVirt {case['verdict']}, rtvmd {status['status']}: "
        print(f"# {case['name']}: {said}{why or 'NO REASON IS STATED'}")
        if why is None:
            print(f"#   KubeVirt {json.dumps(case.get('causes'))}\n#   rtvmd    {json.dumps(status)}")
    agree = sum(n for (what, _), n in tally.items() if what != "verdict")
    stated = tally["verdict", True]
    counted = len(cases) - stated
    print(f"# verdicts: {agree} of {counted} agree, {stated} more differ for a stated reason")
    rejected = sum(c["verdict"] == "rejected" for c in cases)
    print(f"# of {rejected} rejected cases {tally['words', True] + tally['words', False]} have other words or fields")
    print("ok 1 - verdicts agree" if agree >= 0.98 * counted else "not ok 1 - verdicts agree")
    print("ok 2 - every difference has a reason" if not unexplained else "not ok 2 - every difference has a reason")


main()
