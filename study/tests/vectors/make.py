"""Writes the answers that the test compares with: NAME.expected.json for each study NAME.toml.

    python make.py            reads the files of the repository and nothing else

Each number is a library's (libraries.py), and is written only if exact arithmetic (exact.py) agrees
with it: to 1e-9 for p-values, to 1e-10 for all other numbers.
The script stops at the first number that does not agree. See README.md.
"""

import csv
import decimal
import gzip
import itertools
import json
import math
import pathlib
import platform
import tomllib

import mpmath
import numpy
import pandas
import scipy
import statsmodels

import exact
import libraries
import tails

HERE = pathlib.Path(__file__).resolve().parent
STUDIES = {
    "cps2004": HERE / "../../../cli/data/cps2004.csv.gz",
    "penguins": HERE / "penguins.csv.gz",
    "anes96": HERE / "anes96.csv.gz",
}
CLOSED_FORM, TAIL = 1e-10, 1e-9
# Below this a p-value is written as 0.
SMALLEST_P = 1e-300
WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def read_value(text, column):
    """A field, as whole number or boolean or label; none if it is missing."""
    if text in ("", "NA"):
        assert column.get("missing") == "allowed"
        return None
    if column["type"] == "boolean":
        return WORDS[text]
    if column["type"] == "category":
        assert text in column["values"], text
        return text
    value = decimal.Decimal(text).scaleb(column.get("decimals", 0))
    assert value == int(value), f"{text} has too many decimals"
    assert decimal.Decimal(column["min"]) <= decimal.Decimal(text) <= decimal.Decimal(column["max"])
    return int(value)


def read_records(path, columns):
    """All records, a tuple of values each, in the order of the study's columns."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return [
            tuple(read_value(row[name], column) for name, column in columns.items())
            for row in csv.DictReader(file)
        ]


def named_columns(statistic):
    """The columns that a statistic is of: a record that lacks one of them is left out."""
    names = []
    for key in ("of", "y", "x", "between", "outcome", "group", "label"):
        found = statistic.get(key, [])
        for name in [found] if isinstance(found, str) else found:
            names += name.split(":")
    return list(dict.fromkeys(names))


def cells(statistic, columns):
    """All combinations of the labels of `by`; the last column varies fastest."""
    names = statistic.get("by", [])
    for labels in itertools.product(*(columns[name]["values"] for name in names)):
        yield dict(zip(names, labels, strict=True))


def frame(records, columns):
    """Records as the libraries take them."""
    table = pandas.DataFrame.from_records(records, columns=list(columns))
    for name, column in columns.items():
        if column["type"] == "boolean":
            table[name] = table[name].astype(bool)
        elif column["type"] != "category":
            # Whole number by power of ten: the double nearest to the decimal.
            table[name] = table[name].astype(float) / exact.scale(column)
    return table


def whole_numbers(records, columns):
    """Records as exact.py takes them."""
    places = [
        {label: place for place, label in enumerate(column.get("values", []))}
        for column in columns.values()
    ]
    number = lambda value, labels: labels[value] if isinstance(value, str) else value
    convert = lambda record: tuple(map(number, record, places))
    return [tuple(None if v is None else int(v) for v in convert(record)) for record in records]


def agreed(found, checked, path, worst):
    """What a library found, if exact arithmetic says the same; `worst` keeps the largest gaps."""
    if isinstance(found, dict):
        assert list(found) == list(checked), path
        return {key: agreed(found[key], checked[key], [*path, key], worst) for key in found}
    if isinstance(found, list):
        pairs = enumerate(zip(found, checked, strict=True))
        return [agreed(a, b, [*path, str(place)], worst) for place, (a, b) in pairs]
    if found is None or isinstance(found, (str, int)):
        assert found == checked, f"{path}: {found} is {checked}"
        return found
    assert checked is not None and math.isfinite(found), path
    kind = "p" if "p" in path else "other"
    precise = checked if isinstance(checked, mpmath.mpf) else tails.real(checked)
    if kind == "p" and precise < SMALLEST_P:
        assert found < SMALLEST_P, path
        return 0.0
    gap = abs(found - precise) / abs(precise) if precise else abs(mpmath.mpf(found))
    worst[kind] = max(worst.get(kind, (0, [])), (float(gap), path))
    assert gap <= (TAIL if kind == "p" else CLOSED_FORM), f"{path}: {found} is {precise}"
    return found


def answer(statistic, columns, records, worst):
    """The answer to a statistic in each of its cells."""
    at = {name: place for place, name in enumerate(columns)}
    needed = [at[name] for name in named_columns(statistic)]
    answers = []
    for by in cells(statistic, columns):
        here = [(at[name], label) for name, label in by.items()]
        own = [
            record
            for record in records
            if all(record[place] == label for place, label in here)
            and all(record[place] is not None for place in needed)
        ]
        found = libraries.KINDS[statistic["kind"]](statistic, frame(own, columns), columns)
        cell = exact.Cell(statistic, columns, at, whole_numbers(own, columns))
        checked = getattr(cell, statistic["kind"])()
        value = agreed(found, checked, [statistic["name"], *by.values()], worst)
        answers.append({"by": by, "count": len(own), "value": value})
    return answers


def main():
    """Writes the answers of every study."""
    modules = (numpy, scipy, pandas, statsmodels, mpmath)
    versions = {module.__name__: module.__version__ for module in modules}
    versions = {"python": platform.python_version(), **versions}
    print(versions)
    for name, path in STUDIES.items():
        study = tomllib.loads((HERE / f"{name}.toml").read_text(), parse_float=decimal.Decimal)
        columns = {column["name"]: column for column in study["column"]}
        records = read_records(path, columns)
        worst = {}
        statistics = {
            statistic["name"]: answer(statistic, columns, records, worst)
            for statistic in study["statistic"]
        }
        written = {"made_with": versions, "records": len(records), "statistics": statistics}
        text = json.dumps(written, indent=1, allow_nan=False, ensure_ascii=False)
        (HERE / f"{name}.expected.json").write_text(text + "\n")
        print(name, len(records), "records", len(statistics), "statistics")
        for kind, (gap, where) in worst.items():
            print(f"  {kind}: largest gap {gap:.1e} at {' / '.join(where)}")


if __name__ == "__main__":
    main()
