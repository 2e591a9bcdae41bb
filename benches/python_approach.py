"""What a plain Python script does with a mail log: each line, one regular expression, one CSV row.

`python_approach.py LOG CSV`. It stands for the method, at its cheapest: no look-ups in DNS or in
geographic tables, no state between runs, no rotations. Its rows (date, ip, user) also serve as a
second opinion on those of `maillogsentinel`, whose columns of these names must be the same.
"""

import csv
import datetime
import re
import sys

LINE = re.compile(
    r"(?:(?P<bsd>\w{3} [ \d]\d \d\d:\d\d):\d\d|(?P<iso>\d{4}-\d\d-\d\dT\d\d:\d\d):\S+) \S+ "
    r"\S+/smtpd\[\d+\]: warning: [^\s\[]+\[(?P<ip>[^\]]+)\](?::\d+)?: "
    r"SASL [\w-]+ authentication failed: .*?(?:, sasl_username=(?P<user>.*))?$"
)
NO_USER = (None, "(unavailable)")


def date(match, today):
    """`YYYY-MM-DD HH:MM`; a BSD stamp has no year, so one from the future is from last year."""
    if match["iso"]:
        return match["iso"].replace("T", " ")
    stamp = datetime.datetime.strptime(f"{today.year} {match['bsd']}", "%Y %b %d %H:%M")
    if stamp.date() > today:
        stamp = stamp.replace(year=today.year - 1)
    return stamp.strftime("%Y-%m-%d %H:%M")


def main():
    log_path, csv_path = sys.argv[1:]
    today = datetime.date.today()
    with open(log_path, encoding="utf-8", errors="replace", newline="\n") as log, \
            open(csv_path, "a", encoding="utf-8", newline="") as table:
        rows = csv.writer(table, delimiter=";", lineterminator="\n")
        for line in log:
            match = LINE.search(line.rstrip("\n"))
            if match:
                user = "null" if match["user"] in NO_USER else match["user"]
                rows.writerow([date(match, today), match["ip"], user])


if __name__ == "__main__":
    main()
