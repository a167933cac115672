"""How many telephone numbers of every region are found, beside the matcher of libphonenumber.

`python phones.py COMMAND…`: the command reads and writes JSON lines as `bartizan check --jsonl` does. Numbers are drawn from a seed and
valid by the tables of `phonenumbers`; each is written in three forms, alone in a sentence that says nothing about it and announced.
"""
import json
import random
import subprocess
import sys

import phonenumbers
from phonenumbers import PhoneNumberFormat as Format
from phonenumbers import PhoneNumberMatcher, PhoneNumberType

FORMS = {"E.164": Format.E164, "international": Format.INTERNATIONAL, "national": Format.NATIONAL}
TEXTS = {"announced": "Please call me on {} after lunch.", "alone": "The note says {} and nothing else."}
EACH = 4


def numbers(random_, region):
    """Some valid numbers of a region, mobile ones and others in turn."""
    found = []
    for kind in (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE) * EACH:
        example = phonenumbers.example_number_for_type(region, kind)
        if example is None or len(found) == EACH:
            continue
        digits = str(example.national_number)
        for _ in range(50):
            last = "".join(random_.choice("0123456789") for _ in range(4))
            number = phonenumbers.PhoneNumber()
            number.merge_from(example)
            number.national_number = int(digits[:-4] + last)
            if phonenumbers.is_valid_number_for_region(number, region) and number not in found:
                found.append(number)
                break
    return found


def overlaps(span, other):
    both = min(span[1], other[1]) - max(span[0], other[0])
    return 2 * both >= max(span[1], other[1]) - min(span[0], other[0])


def main(command):
    random_ = random.Random(11)
    cases = []
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for number in numbers(random_, region):
            for form, style in FORMS.items():
                written = phonenumbers.format_number(number, style)
                for how, text in TEXTS.items():
                    start = text.index("{}")
                    cases.append((region, form, how, text.format(written), (start, start + len(written))))
    lines = "".join(json.dumps({"id": str(at), "text": case[3]}) + "\n" for at, case in enumerate(cases))
    answers = subprocess.run(command, input=lines, capture_output=True, text=True, check=True).stdout.splitlines()
    counts, regions = {}, {}
    for (region, form, how, text, span), answer in zip(cases, answers, strict=True):
        findings = json.loads(answer)["findings"]
        ours = any(f.get("type") == "PHONE_NUMBER" and overlaps(span, (f["start"], f["end"])) for f in findings)
        asked = {"region given": region, "no region": None}
        theirs = [any(overlaps(span, (m.start, m.end)) for m in PhoneNumberMatcher(text, r)) for r in asked.values()]
        row = counts.setdefault((form, how), [0, 0, 0, 0])
        for at, hit in enumerate([True, ours, *theirs]):
            row[at] += hit
        if form != "national" or how == "announced":
            place = regions.setdefault(region, [0, 0])
            place[0] += 1
            place[1] += ours
    print(f"{len(cases)} texts, {len(regions)} regions, phonenumbers {phonenumbers.__version__}")
    print(f"{'form':<14} {'':<10} {'texts':>6} {'bartizan':>9} {'phonenumbers, region given':>27} {'no region':>10}")
    for (form, how), (count, *hits) in counts.items():
        shares = [f"{hit / count:.3f}" for hit in hits]
        print(f"{form:<14} {how:<10} {count:>6} {shares[0]:>9} {shares[1]:>27} {shares[2]:>10}")
    worst = sorted((hit / count, region) for region, (count, hit) in regions.items() if hit < count)
    print("regions with misses, national numbers that nothing announces left out: " + " ".join(f"{region} {share:.2f}" for share, region in worst))


if __name__ == "__main__":
    main(sys.argv[1:])
