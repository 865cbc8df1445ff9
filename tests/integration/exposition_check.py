#!/usr/bin/env python3
"""A strict reader of the Prometheus text format 0.0.4.

    exposition_check.py PAGE [EARLIER-PAGE]

Complains about everything a scraper could trip over: order and number of HELP and TYPE lines, names, escapes, numbers,
series given twice, families that are not in one piece, histograms that do not add up; and, with an earlier page of the
same process, about counters that went back. Prints each sample as `name{labels} value`, labels sorted.
"""
import math
import re
import sys

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
NUMBER = re.compile(r"[+-]?(\d+(\.\d+)?([eE][+-]?\d+)?|Inf|NaN)")


class Wrong(Exception):
    pass


def unescape(text, quoted):
    out, i = "", 0
    while i < len(text):
        c = text[i]
        if c == "\\":
            i += 1
            follows = text[i:i + 1]
            if follows == "n":
                out += "\n"
            elif follows == "\\" or (quoted and follows == '"'):
                out += follows
            else:
                raise Wrong(f"escape \\{follows}")
        else:
            out += c
        i += 1
    return out


def labels_of(text):
    """{a="b",c="d"}rest → ({a: b, …}, rest)"""
    labels, at = {}, 1
    while text[at:at + 1] != "}":
        name = LABEL.match(text, at)
        if not name or text[name.end():name.end() + 2] != '="':
            raise Wrong(f"label at {text[at:]!r}")
        start = end = name.end() + 2
        while text[end:end + 1] not in ('"', ""):
            end += 2 if text[end] == "\\" else 1
        if text[end:end + 1] != '"':
            raise Wrong("label value without an end")
        if name.group() in labels:
            raise Wrong(f"label {name.group()} twice")
        labels[name.group()] = unescape(text[start:end], True)
        at = end + 1
        if text[at:at + 1] == ",":
            at += 1
            if text[at:at + 1] == "}":
                raise Wrong("comma before }")
        elif text[at:at + 1] != "}":
            raise Wrong(f"after a label: {text[at:]!r}")
    return labels, text[at + 1:]


def sample_of(line):
    name = NAME.match(line)
    if not name:
        raise Wrong("name")
    rest, labels = line[name.end():], {}
    if rest.startswith("{"):
        labels, rest = labels_of(rest)
    if not rest.startswith(" ") or not NUMBER.fullmatch(rest[1:]):
        raise Wrong(f"value {rest!r}")
    return name.group(), labels, float(rest[1:])


class Family:
    def __init__(self, name):
        self.name, self.type, self.samples = name, None, []

    def takes(self, name):
        suffixes = ["_bucket", "_sum", "_count"] if self.type == "histogram" else [""]
        return any(name == self.name + s for s in suffixes)

    def check(self):
        if not self.samples:
            raise Wrong(f"{self.name}: no samples")
        if self.type == "counter" and any(v < 0 or math.isnan(v) for _, _, v in self.samples):
            raise Wrong(f"{self.name}: a counter below zero")
        if self.type == "histogram":
            self.check_histogram()

    def check_histogram(self):
        series = {}
        for name, labels, value in self.samples:
            key = tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
            one = series.setdefault(key, {"buckets": []})
            if name.endswith("_bucket"):
                one["buckets"].append((float(labels["le"]), value))
            else:
                one[name[len(self.name):]] = value
        for key, one in series.items():
            buckets = one["buckets"]
            if buckets != sorted(buckets) or [v for _, v in buckets] != sorted(v for _, v in buckets):
                raise Wrong(f"{self.name}{key}: buckets not in order")
            if buckets[-1][0] != math.inf or buckets[-1][1] != one["_count"] or "_sum" not in one:
                raise Wrong(f"{self.name}{key}: +Inf, count and sum do not belong together")


def read(page):
    families, current, seen = {}, None, set()
    if not page.endswith("\n"):
        raise Wrong("no newline at the end")
    for number, line in enumerate(page[:-1].split("\n"), 1):
        try:
            head = re.fullmatch(r"# (HELP|TYPE) (\S+) (.*)", line)
            if head and head.group(1) == "HELP":
                if head.group(2) in families or not NAME.fullmatch(head.group(2)):
                    raise Wrong("HELP again, or of no metric")
                unescape(head.group(3), False)
                current = families[head.group(2)] = Family(head.group(2))
            elif head:
                if not current or head.group(2) != current.name or current.type or current.samples:
                    raise Wrong("TYPE must follow its HELP")
                if head.group(3) not in ("gauge", "counter", "histogram"):
                    raise Wrong("type")
                current.type = head.group(3)
            else:
                name, labels, value = sample_of(line)
                if not current or not current.type or not current.takes(name):
                    raise Wrong("not of the metric it stands under")
                key = (name, tuple(sorted(labels.items())))
                if key in seen:
                    raise Wrong("series given twice")
                seen.add(key)
                current.samples.append((name, labels, value))
        except Wrong as why:
            raise Wrong(f"line {number}: {why}: {line}") from None
    for family in families.values():
        family.check()
    return families


def series(families, types):
    return {(n, tuple(sorted(ls.items()))): v for f in families.values() if f.type in types for n, ls, v in f.samples}


def main():
    families = read(open(sys.argv[1], encoding="utf-8", newline="").read())
    if len(sys.argv) > 2:
        earlier = series(read(open(sys.argv[2], encoding="utf-8", newline="").read()), ("counter", "histogram"))
        now = series(families, ("counter", "histogram"))
        for key, value in earlier.items():
            if key in now and now[key] < value:
                raise Wrong(f"{key} went back from {value} to {now[key]}")
    for (name, labels), value in series(families, ("gauge", "counter", "histogram")).items():
        shown = ",".join(f'{k}="{v}"' for k, v in labels)
        print(f"{name}{{{shown}}} {value:.15g}")


try:
    main()
except Wrong as wrong:
    sys.exit(f"exposition_check: {wrong}")
