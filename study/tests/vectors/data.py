"""Cuts the shipped data out of the public packages that carry the originals.

Needs palmerpenguins and statsmodels in the versions that README.md names. Run it only to see that
the shipped files come from there: make.py reads the files and not the packages.

    python data.py

Values are as in the originals, but for five isotope ratios that a spreadsheet wrote as the nearest
double (8.3945900000000009): they get back their five decimals. Two columns are derived:

- penguins, `heavy`: whether the body mass is above 4,000 g; missing where the mass is.
- anes96, `conservative`: true where the respondent places himself or herself at 5, 6 or 7 of the
  seven-point scale from left to right, false at 1, 2 or 3, and missing at 4 ("moderate").
"""

import csv
import gzip
import importlib.resources
import io
import pathlib

HERE = pathlib.Path(__file__).resolve().parent

PENGUINS = {
    "species": "Species",
    "island": "Island",
    "season": "studyName",
    "sex": "Sex",
    "clutch": "Clutch Completion",
    "bill_length": "Culmen Length (mm)",
    "bill_depth": "Culmen Depth (mm)",
    "flipper": "Flipper Length (mm)",
    "mass": "Body Mass (g)",
    "delta15n": "Delta 15 N (o/oo)",
    "delta13c": "Delta 13 C (o/oo)",
}
PARTIES = [
    "strong Democrat",
    "weak Democrat",
    "independent Democrat",
    "independent",
    "independent Republican",
    "weak Republican",
    "strong Republican",
]
EDUCATION = [
    "1-8 grades",
    "some high school",
    "high school",
    "some college",
    "college",
    "master",
    "PhD",
]
CANDIDATES = ["Clinton", "Dole"]


def original(package, *path):
    """The text of a file that a package carries."""
    place = importlib.resources.files(package)
    return place.joinpath(*path).read_text(encoding="utf-8")


def penguin(row):
    """One bird."""
    bird = {name: row[source] for name, source in PENGUINS.items()}
    bird["species"] = bird["species"].split()[0]
    bird["sex"] = bird["sex"] if bird["sex"] == "NA" else bird["sex"].lower()
    bird["clutch"] = bird["clutch"].lower()
    for name in ("delta15n", "delta13c"):
        if len(bird[name].partition(".")[2]) > 5:
            bird[name] = f"{float(bird[name]):.5f}"
    mass = bird["mass"]
    bird["heavy"] = "NA" if mass == "NA" else "yes" if int(mass) > 4000 else "no"
    return bird


def respondent(row):
    """One respondent of the election study."""
    side = int(row["selfLR"])
    return {
        "age": row["age"],
        "news": row["TVnews"],
        "population": row["popul"],
        "income": row["income"],
        "self": row["selfLR"],
        "clinton": row["ClinLR"],
        "dole": row["DoleLR"],
        "party": PARTIES[int(row["PID"])],
        "education": EDUCATION[int(row["educ"]) - 1],
        "candidate": CANDIDATES[int(row["vote"])],
        "votes_dole": {"0": "false", "1": "true"}[row["vote"]],
        "conservative": "NA" if side == 4 else "true" if side > 4 else "false",
    }


def write(name, rows):
    """Writes a CSV table without a time stamp: the same bytes every time."""
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    packed = gzip.compress(text.getvalue().encode(), compresslevel=9, mtime=0)
    (HERE / f"{name}.csv.gz").write_bytes(packed)


def main():
    """Writes both files."""
    birds = csv.DictReader(io.StringIO(original("palmerpenguins", "data", "penguins-raw.csv")))
    write("penguins", [penguin(row) for row in birds])
    header, *lines = original("statsmodels.datasets", "anes96", "anes96.csv").splitlines()
    names = [name.strip("'") for name in header.split()]
    people = [dict(zip(names, line.split(), strict=True)) for line in lines]
    write("anes96", [respondent(row) for row in people])


if __name__ == "__main__":
    main()
