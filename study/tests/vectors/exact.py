"""The same answers in exact fractions: a check of the libraries.

Nothing here is shared with libraries.py. A record is a tuple of whole numbers (values scaled by
10^decimals, booleans as 0 and 1, categories as the place of their label), so that every sum is
exact; `columns` are the study's by name, and `at` says where each is in a record.
"""

import fractions
import math

import mpmath

from tails import chi2_tail, f_tail, real, t_quantile, t_tails

Fraction = fractions.Fraction


def scale(column):
    return 10 ** column.get("decimals", 0)


def scaled(written, column):
    """A number of the study file in the units of a column's records."""
    found = Fraction(str(written)) * scale(column)
    assert found.denominator == 1, f"{written} has too many decimals"
    return int(found)


def spread(values):
    """n, mean and sum of squared deviations, in the records' units."""
    n, s, squares = len(values), sum(values), sum(value * value for value in values)
    return n, Fraction(s, n), Fraction(n * squares - s * s, n)


class Cell:
    """The complete records of one cell, and how to read them."""

    def __init__(self, statistic, columns, at, records):
        self.statistic, self.columns, self.at, self.records = statistic, columns, at, records

    def values(self, name):
        place = self.at[name]
        return [record[place] for record in self.records]

    def of(self):
        """The values of the one column, and its scale."""
        name = self.statistic["of"]
        return self.values(name), scale(self.columns[name])

    def count(self):
        return len(self.records)

    def sum(self):
        values, unit = self.of()
        return Fraction(sum(values), unit)

    def mean(self):
        values, unit = self.of()
        return Fraction(sum(values), len(values) * unit) if values else None

    share = mean

    def variance(self):
        values, unit = self.of()
        if len(values) < 2:
            return None
        n, _, deviations = spread(values)
        return deviations / (n - 1) / unit**2

    def stddev(self):
        found = self.variance()
        return None if found is None else mpmath.sqrt(real(found))

    def min(self):
        values, unit = self.of()
        return Fraction(min(values), unit) if values else None

    def max(self):
        values, unit = self.of()
        return Fraction(max(values), unit) if values else None

    def mode(self):
        values, _ = self.of()
        labels = self.columns[self.statistic["of"]]["values"]
        counts = [values.count(place) for place in range(len(labels))]
        return labels[counts.index(max(counts))] if values else None

    def bins(self):
        """Pairs of a bin's smallest and largest value, and the edges."""
        column = self.columns[self.statistic["of"]]
        low, high = (scaled(column[end], column) for end in ("min", "max"))
        if "bins" in self.statistic:
            edges = [scaled(edge, column) for edge in self.statistic["bins"]]
        else:
            edges = [*range(low, high, scaled(self.statistic["width"], column)), high]
        ends = [edge - 1 for edge in edges[1:-1]] + [edges[-1]]
        return list(zip(edges, ends, strict=False)), edges

    def histogram(self):
        values, unit = self.of()
        bins, edges = self.bins()
        counts = [sum(start <= value <= end for value in values) for start, end in bins]
        return {"edges": [Fraction(edge, unit) for edge in edges], "counts": counts}

    def quantile(self):
        values, unit = self.of()
        values.sort()
        answers = {}
        for q in self.statistic["q"]:
            value = values[math.ceil(Fraction(str(q)) * len(values)) - 1]
            answers[str(q)] = Fraction(value, unit)
            if "width" in self.statistic:
                [(start, end)] = [(a, b) for a, b in self.bins()[0] if a <= value <= b]
                answers[str(q)] = {"from": Fraction(start, unit), "to": Fraction(end, unit)}
        return answers

    def crosstab(self):
        a, b = self.statistic["of"]
        rows, columns = (self.columns[name]["values"] for name in (a, b))
        table = [[0] * len(columns) for _ in rows]
        for row, column in zip(self.values(a), self.values(b), strict=True):
            table[row][column] += 1
        n = len(self.records)
        row_sums = [sum(row) for row in table]
        column_sums = [sum(column) for column in zip(*table, strict=True)]
        chi2 = Fraction(0)
        for row, row_sum in zip(table, row_sums, strict=True):
            for found, column_sum in zip(row, column_sums, strict=True):
                if row_sum * column_sum:
                    expected = Fraction(row_sum * column_sum, n)
                    chi2 += (found - expected) ** 2 / expected
        dof = (sum(map(bool, row_sums)) - 1) * (sum(map(bool, column_sums)) - 1)
        p = chi2_tail(chi2, dof)
        return {"rows": rows, "columns": columns, "counts": table, "chi2": chi2, "dof": dof, "p": p}

    def moments(self):
        """n and the sums of squared and multiplied deviations of two columns."""
        a, b = (self.values(name) for name in self.statistic["of"])
        units = [scale(self.columns[name]) for name in self.statistic["of"]]
        n = len(a)
        products = n * sum(x * y for x, y in zip(a, b, strict=True)) - sum(a) * sum(b)
        squares = [n * sum(x * x for x in values) - sum(values) ** 2 for values in (a, b)]
        return n, products, squares, units

    def covariance(self):
        n, products, _, (unit, other) = self.moments()
        return Fraction(products, n * (n - 1) * unit * other) if n > 1 else None

    def correlation(self):
        _, products, (a, b), _ = self.moments()
        return mpmath.mpf(products) / mpmath.sqrt(mpmath.mpf(a) * b) if a * b else None

    def terms(self, name):
        """Names, values and scales of the variables that a part of `x` stands for."""
        if ":" in name:
            left, right = (self.terms(part) for part in name.split(":"))
            return [
                (f"{a}:{b}", [x * y for x, y in zip(xs, ys, strict=True)], s * t)
                for a, xs, s in left
                for b, ys, t in right
            ]
        column, values = self.columns[name], self.values(name)
        if column["type"] != "category":
            return [(name, values, scale(column))]
        others = list(enumerate(column["values"]))[1:]
        return [(f"{name}[{label}]", [int(own == at) for own in values], 1) for at, label in others]

    def regression(self):
        design = [("intercept", [1] * len(self.records), 1)]
        for name in self.statistic["x"]:
            design += self.terms(name)
        y, y_unit = self.values(self.statistic["y"]), scale(self.columns[self.statistic["y"]])
        dot = lambda a, b: sum(x * y for x, y in zip(a, b, strict=True))
        gram = [[Fraction(dot(a, b)) for _, b, _ in design] for _, a, _ in design]
        moments = [Fraction(dot(a, y)) for _, a, _ in design]
        inverse = inverted(gram)
        coefficients = [dot(row, moments) for row in inverse]
        n, dof = len(y), len(y) - len(design)
        residual = dot(y, y) - dot(coefficients, moments)
        around_mean = dot(y, y) - Fraction(sum(y) ** 2, n)
        answer = {"coefficients": {}, "std_errors": {}, "t": {}, "p": {}}
        for place, (name, _, unit) in enumerate(design):
            variance = residual / dof * inverse[place][place]
            coefficient, error = real(coefficients[place]), mpmath.sqrt(real(variance))
            to_units = mpmath.mpf(unit) / y_unit
            answer["coefficients"][name] = coefficient * to_units
            answer["std_errors"][name] = error * to_units
            answer["t"][name] = coefficient / error
            answer["p"][name] = t_tails(coefficients[place] ** 2 / variance, dof)
        return {**answer, "r2": 1 - residual / around_mean, "n": n}

    def sides(self):
        """The values of each side of a test."""
        between = self.columns[self.statistic["between"]]
        labels = between.get("values", ["false", "true"])
        groups = [[] for _ in labels]
        values, unit = self.of()
        for value, side in zip(values, self.values(self.statistic["between"]), strict=True):
            groups[side].append(value)
        return labels, groups, unit

    def ttest(self):
        labels, groups, unit = self.sides()
        (n, mean, deviations), (m, other, others) = (spread(group) for group in groups)
        own, opposite = deviations / (n - 1) / n, others / (m - 1) / m
        dof = (own + opposite) ** 2 / (own**2 / (n - 1) + opposite**2 / (m - 1))
        squared, error = (mean - other) ** 2 / (own + opposite), mpmath.sqrt(real(own + opposite))
        difference = real((mean - other) / unit)
        quantile = t_quantile(dof)
        margin = quantile * error / unit
        return {
            "sides": labels,
            "means": [mean / unit, other / unit],
            "difference": difference,
            "t": real(mean - other) / error,
            "dof": dof,
            "p": t_tails(squared, dof),
            "ci95": [difference - margin, difference + margin],
        }

    def anova(self):
        _, groups, _ = self.sides()
        spreads = [spread(group) for group in groups if group]
        n, mean, deviations = spread([value for group in groups for value in group])
        inside = sum(deviations for _, _, deviations in spreads)
        between, within = len(spreads) - 1, n - len(spreads)
        f = (deviations - inside) / between / (inside / within)
        return {"f": f, "dof": [between, within], "p": f_tail(f, between, within)}

    def fairness(self):
        label = self.statistic.get("label")
        names = [self.statistic[key] for key in ("group", "outcome")]
        truth = self.values(label) if label else [None] * len(self.records)
        rows = list(zip(*(self.values(name) for name in names), truth, strict=True))
        rate = lambda own: Fraction(sum(own), len(own)) if own else None
        groups = {}
        for place, name in enumerate(self.columns[names[0]]["values"]):
            own = [(outcome, truth) for group, outcome, truth in rows if group == place]
            found = {"n": len(own), "selection_rate": rate([outcome for outcome, _ in own])}
            if label:
                found["tpr"] = rate([outcome for outcome, truth in own if truth == 1])
                found["fpr"] = rate([outcome for outcome, truth in own if truth == 0])
            groups[name] = found
        rates = [group["selection_rate"] for group in groups.values()]
        answer = {
            "groups": groups,
            "demographic_parity_difference": max(rates) - min(rates),
            "disparate_impact_ratio": min(rates) / max(rates),
        }
        if label:
            rates = [group["tpr"] for group in groups.values()]
            answer["equal_opportunity_difference"] = max(rates) - min(rates)
        return answer


def inverted(matrix):
    """The inverse, by Gauss and Jordan in fractions."""
    size = len(matrix)
    rows = [[*row, *(Fraction(int(i == j)) for j in range(size))] for i, row in enumerate(matrix)]
    for place in range(size):
        pivot = next(row for row in range(place, size) if rows[row][place])
        rows[place], rows[pivot] = rows[pivot], rows[place]
        lead = rows[place][place]
        rows[place] = [value / lead for value in rows[place]]
        for other in range(size):
            factor = rows[other][place]
            if other != place and factor:
                pairs = zip(rows[other], rows[place], strict=True)
                rows[other] = [value - factor * own for value, own in pairs]
    return [row[size:] for row in rows]
