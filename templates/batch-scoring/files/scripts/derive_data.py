"""Derive data/claims.csv from the RAND file: `python scripts/derive_data.py RAW.csv [OUT.csv]`.

The only change is a first column `member_year_id`, a row number that is made up: the RAND file has
no identifiers. It stands for the policy number that a real table would have.
"""

import csv
import hashlib
import sys
from pathlib import Path

RAW_SHA256 = "9f6c87d05aef087a82cc4465310c8cd3f38327be6eafa43bd81fb98c4f3d088c"


def derive(raw: Path, out: Path) -> int:
    """Write `out`; values stay as the text they were. Returns the number of rows."""
    with raw.open(newline="") as source, out.open("w", newline="") as target:
        rows = csv.reader(source)
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow(["member_year_id", *next(rows)])
        number = 0
        for number, row in enumerate(rows, start=1):
            writer.writerow([f"MY-{number:06d}", *row])
        return number


def main() -> None:
    """Check that the raw file is the known one, then derive."""
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    raw = Path(sys.argv[1])
    out = Path(sys.argv[2] if len(sys.argv) == 3 else "data/claims.csv")  # noqa: PLR2004
    found = hashlib.sha256(raw.read_bytes()).hexdigest()
    if found != RAW_SHA256:
        sys.exit(f"{raw} is not the known RAND file: sha256 {found}, expected {RAW_SHA256}")
    print(f"{derive(raw, out)} rows in {out}")


if __name__ == "__main__":
    main()
