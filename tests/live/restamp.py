"""Makes the bundled samples of the logs that samples.py left.   restamp.py OUT_DIR SAMPLES_DIR

The lines are as the servers wrote them, but for their times: those of a session are moved to where the story has it.
"""

import bisect
import datetime
import gzip
import io
import json
import pathlib
import sys

# Name of each file, and the day on which it was rotated away: a server turns its log over in the night to Monday.
FILES = {
    "bsd": [("mail.log.2.gz", 8), ("mail.log.1", 15), ("mail.log", 99)],
    "rfc3339": [("mail.log.1.gz", 15), ("mail.log", 99)],
}


def stories(out_dir):
    """For each line of the log: story, time of the story, and the line without its stamp."""
    sessions = [json.loads(line) for line in (out_dir / "timeline.jsonl").read_text("ascii").splitlines()]
    begins = [session["began"] for session in sessions]
    for line in (out_dir / "mail.rfc3339.log").read_bytes().splitlines(keepends=True):
        stamp, rest = line.split(b" ", 1)
        real = datetime.datetime.fromisoformat(stamp.decode()).timestamp()
        session = sessions[max(bisect.bisect(begins, real) - 1, 0)]
        if real >= begins[0] and session["story"]:
            moved = session["at"] + real - session["began"]
            yield session["story"], datetime.datetime.fromtimestamp(moved, datetime.timezone.utc), rest


def main():
    out_dir, samples_dir = map(pathlib.Path, sys.argv[1:])
    texts = {(story, name): io.BytesIO() for story, files in FILES.items() for name, _ in files}
    latest = {}
    for story, moment, rest in stories(out_dir):
        if moment < latest.get(story, moment):
            sys.exit(f"restamp: two sessions of {story} overlap at {moment}")
        latest[story] = moment
        name = next(name for name, day in FILES[story] if moment.day < day)
        stamp = (
            moment.isoformat("T", "microseconds")
            if story == "rfc3339"
            else f"{moment:%b} {moment.day:2} {moment:%H:%M:%S}"
        )
        texts[story, name].write(stamp.encode() + b" " + rest)
    for (story, name), text in texts.items():
        folder = samples_dir / story
        folder.mkdir(parents=True, exist_ok=True)
        data = text.getvalue()
        # No name and no time in the header: the same lines always give the same file.
        (folder / name).write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)


if __name__ == "__main__":
    main()
